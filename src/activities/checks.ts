/** Stages 4, 5 and 7: tests and stress on the candidate's tree beside the base's, and the figures they measured. */
import type { CollectMetricsInput, RunTestsInput, StressInput, StressResult, TestsResult } from '../domain/coding.ts';
import type { StressThreshold } from '../domain/commands.ts';
import { meets } from '../domain/metric.ts';
import type { StageOutcome } from '../domain/stages.ts';
import type { TestVerdict } from '../domain/test-report.ts';
import { evidence } from '../store/artifacts.ts';
import { keep } from '../store/effects.ts';
import { lastSample } from '../store/metrics.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { judgedRun } from './judged-run.ts';
import { loadRun, runTestsOnce, sharedRunKey, type StoredTestRun, type TestRunRequest } from './test-run.ts';

export const checkActivities = (deps: ActivityDeps) => ({
  /**
   * Stage 4. Base and candidate run under keys of their own: a retry after a crash repeats only what had not ended.
   * A failing test is a result, not an error.
   */
  async runTests(input: RunTestsInput): Promise<TestsResult> {
    return withHeartbeat(async (signal) => {
      const common = { repository_id: input.repository_id, holder: input.mission_id, setup: input.setup, test: input.test };
      const baseRequest = { ...common, at: input.base, setup_counts: false, key: await sharedRunKey(deps, input.base.tree, input.setup, input.test) };
      const base = await runTestsOnce(deps, baseRequest, signal);
      const again = async (request: TestRunRequest) => loadRun(deps, await runTestsOnce(deps, { ...request, key: `${request.key}:rerun:1` }, signal));
      const { verdict, stored: candidate, run } = await judgedRun(deps,
        { ...common, at: input.candidate, setup_counts: true, key: `${input.mission_id}:run_tests:${input.attempt}` },
        { base: await loadRun(deps, base), baseAgain: () => again(baseRequest), required: input.must_pass_tests, reruns: input.reruns ?? 0 }, signal);
      // Should this tree land as it is, it is the base of what comes next: then these are its tests.
      if (verdict.passed) await keep(deps.database.query, await sharedRunKey(deps, input.candidate.tree, input.setup, input.test), candidate);
      const record = await deps.artifacts.putJson({ ...verdict, must_pass_tests: input.must_pass_tests, base: base.tree, candidate: candidate.tree });
      const { passed, failed, skipped } = verdict.counts;
      const line = (run.report?.cases.length ?? 0) === 0
        ? `no readable report: the run proves its exit code ${run.exit_code} and nothing else`
        : `${passed} passed, ${failed} failed, ${skipped} skipped`;
      return {
        outcome: verdict.passed ? 'passed' : 'failed',
        reason: verdict.passed ? noted(line, verdict) : [...verdict.reasons.slice(0, 20), ...(run.note === undefined ? [] : [run.note])].join('; '),
        evidence: [
          ...candidate.evidence, ...labelled(base),
          evidence('test_verdict', record, `${verdict.passed ? 'proved' : 'not proved'}: ${line}`),
        ],
        vanished: verdict.vanished, flaky: verdict.flaky, metrics: candidate.metrics,
      };
    });
  },

  /** Stage 5. Figures of the candidate with the base's beside them; not configured is skipped, and shown as that. */
  async stressTests(input: StressInput): Promise<StressResult> {
    const { stress } = input;
    if (stress === null) {
      const record = await deps.artifacts.putJson({ skipped: 'not configured', base: input.base });
      return { outcome: 'skipped', reason: 'not configured', evidence: [evidence('stress', record, 'no stress command at the base commit')], metrics: {} };
    }
    return withHeartbeat(async (signal) => {
      const common = { repository_id: input.repository_id, holder: input.mission_id, setup: input.setup, test: stress };
      const key = `${input.mission_id}:stress_tests:${input.attempt}`;
      // Both measured now, one after the other: a figure from another hour is no comparison.
      const base = await runTestsOnce(deps, { ...common, at: input.base, setup_counts: false, key: `${key}:base` }, signal);
      const candidate = await runTestsOnce(deps, { ...common, at: input.candidate, setup_counts: true, key: `${key}:candidate` }, signal);
      const reasons = judgeStress(input.thresholds, base, candidate);
      const record = await deps.artifacts.putJson({
        base: base.metrics, candidate: candidate.metrics, thresholds: input.thresholds, reasons,
      });
      return {
        outcome: reasons.length === 0 ? 'passed' : 'failed',
        reason: reasons.length === 0 ? null : reasons.join('; '),
        evidence: [
          ...candidate.evidence, ...labelled(base),
          evidence('stress', record, `${Object.keys(candidate.metrics).length} figures, base beside them`),
        ],
        metrics: candidate.metrics,
      };
    });
  },

  /** Stage 7. Targets measured on this tree are checked; production metrics are written down and left to the window. */
  async collectMetrics(input: CollectMetricsInput): Promise<StageOutcome> {
    const at = new Date().toISOString();
    const checked = await Promise.all(input.targets.map(async (target) => {
      const value = input.measured[target.metric_id];
      if (value !== undefined) {
        return { ...target, source: 'measured on the candidate tree', value, met: meets(value, target.comparator, target.target) };
      }
      const sample = (await lastSample(deps.database.query, target.metric_id, at)) ?? null;
      return { ...target, source: 'deferred to the observation window', baseline: sample, met: null };
    }));
    const failed = checked.filter((target) => target.met === false);
    const deferred = checked.filter((target) => target.met === null).map((target) => target.metric_id);
    const record = await deps.artifacts.putJson({ at, targets: checked, measured: input.measured });
    return {
      outcome: failed.length === 0 ? 'passed' : 'failed',
      reason: failed.length > 0
        ? failed.map((t) => `${t.metric_id} is ${'value' in t ? t.value : '?'}, not ${t.comparator} ${t.target}`).join('; ')
        : deferred.length > 0 ? `deferred to the observation window: ${deferred.join(', ')}` : null,
      evidence: [evidence('metrics', record, `${checked.length - deferred.length} checked, ${deferred.length} deferred`)],
    };
  },
});

function noted(line: string, { tolerated, vanished, appeared, flaky }: TestVerdict): string {
  const named = (tests: readonly string[]): string => tests.slice(0, 10).join(', ');
  return [
    line,
    ...(flaky.length > 0 ? [`flaky, failed in another run of the same tree: ${named(flaky)}`] : []),
    ...(tolerated.length > 0 ? [`failing on the base too: ${named(tolerated)}`] : []),
    // New names matter where old ones are gone: a test that was renamed is both.
    ...(vanished.length > 0 ? [`vanished: ${named(vanished)}`, ...(appeared.length > 0 ? [`new: ${named(appeared)}`] : [])] : []),
  ].join('; ');
}

const labelled = (base: StoredTestRun): StoredTestRun['evidence'] =>
  base.evidence.map((item) => ({ ...item, kind: `base_${item.kind}`, summary: `base: ${item.summary}` }));

/** Why the figures do not do; empty when they do. */
export function judgeStress(thresholds: readonly StressThreshold[], base: StoredTestRun, candidate: StoredTestRun): string[] {
  const reasons: string[] = [];
  if (candidate.limit?.evidence === 'certain') reasons.push(`RESOURCE_LIMIT: ${candidate.limit.detail}`);
  if (candidate.exit_code !== 0) reasons.push(`the stress command ended with exit code ${candidate.exit_code}`);
  if (Object.keys(candidate.metrics).length === 0) reasons.push('the stress command reported no figures');
  for (const { metric, max, min, max_ratio_to_base: ratio } of thresholds) {
    const value = candidate.metrics[metric];
    const before = base.metrics[metric];
    if (value === undefined) reasons.push(`${metric} was not measured`);
    else {
      if (max !== undefined && !meets(value, '<=', max)) reasons.push(`${metric} is ${value}, more than ${max}`);
      if (min !== undefined && !meets(value, '>=', min)) reasons.push(`${metric} is ${value}, less than ${min}`);
      if (ratio !== undefined && before === undefined) reasons.push(`${metric} was not measured on the base`);
      if (ratio !== undefined && before !== undefined && !meets(value, '<=', before * ratio)) {
        reasons.push(`${metric} is ${value}, more than ${ratio} × ${before} on the base`);
      }
    }
  }
  return reasons;
}
