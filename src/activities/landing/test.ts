/** Testing a merged tree that nobody has tested, on a checkout of the commit that is to land. */
import type { CommitRef } from '../../domain/coding.ts';
import type { LandedNeighbour, LandingRequest } from '../../domain/landing.ts';
import type { EvidenceRef } from '../../domain/stages.ts';
import { testId, type TestRun } from '../../domain/test-report.ts';
import { keep } from '../../store/effects.ts';
import { judgeStress } from '../checks.ts';
import type { ActivityDeps } from '../deps.ts';
import { judgedRun } from '../judged-run.ts';
import { loadRun, runTestsOnce, sharedRunKey, type StoredTestRun } from '../test-run.ts';
import { landedSince } from './neighbours.ts';

export interface MergedTest {
  passed: boolean;
  reasons: string[];
  evidence: EvidenceRef[];
  /** Tests that failed in one run of the merged tree and passed in another. */
  flaky?: string[];
  /** When it failed: what landed since the candidate's base. Its own tests passed there, so one of these is the other half. */
  neighbours?: LandedNeighbour[];
}

/** For a revert, a test that the reverted change had turned green may fail again. */
export async function testMerged(
  deps: ActivityDeps, { request, commit, tip }: { request: LandingRequest; commit: CommitRef; tip: CommitRef }, signal: AbortSignal,
): Promise<MergedTest> {
  const { setup_command: setup, test_command: test } = request;
  const common = { repository_id: request.repository_id, holder: `${request.mission_id}:landing`, setup, test };
  const runAt = async (at: CommitRef, key: string): Promise<{ run: TestRun; stored: StoredTestRun }> => {
    const stored = await runTestsOnce(deps, { ...common, at, setup_counts: at === commit, key }, signal);
    return { run: await loadRun(deps, stored), stored };
  };
  try {
    const tipKey = await sharedRunKey(deps, tip.tree, setup, test);
    const parent = request.kind === 'revert' ? await deps.mirrors.resolve(request.repository_id, `${request.head}^1`) : null;
    const beforeChange = parent === null ? null : (await runAt(parent, await sharedRunKey(deps, parent.tree, setup, test))).run;
    const runOfTip = async (key: string): Promise<TestRun> => {
      const { run } = await runAt(tip, key);
      return beforeChange === null ? run : withoutGained(run, beforeChange);
    };
    const merged = await judgedRun(deps, { ...common, at: commit, setup_counts: true, key: `${request.request_id}:${commit.tree}` }, {
      base: await runOfTip(tipKey), baseAgain: () => runOfTip(`${tipKey}:rerun:1`),
      required: request.kind === 'land' ? request.must_pass_tests : [], reruns: request.reruns ?? 0,
    }, signal);
    const { verdict } = merged;
    const stressed = verdict.passed ? await stress(deps, request, commit, tip, signal) : { reasons: [], evidence: [] };
    const reasons = [...verdict.reasons, ...stressed.reasons];
    const evidence = [...merged.stored.evidence, ...stressed.evidence];
    if (verdict.passed && reasons.length === 0) {
      // The next to land meets this tree as its tip, and is compared with this run.
      await keep(deps.database.query, await sharedRunKey(deps, commit.tree, setup, test), merged.stored);
      return { passed: true, reasons, evidence, flaky: verdict.flaky };
    }
    const neighbours = request.kind === 'land' ? await landedSince(deps, request, request.base, tip.commit) : [];
    return { passed: false, reasons, evidence, neighbours };
  } finally {
    await deps.worktrees.release(request.repository_id, common.holder);
  }
}

/** Where policy says so, figures of the merged tree beside the tip's. */
async function stress(
  deps: ActivityDeps, request: LandingRequest, commit: CommitRef, tip: CommitRef, signal: AbortSignal,
): Promise<{ reasons: string[]; evidence: EvidenceRef[] }> {
  if (request.stress === undefined || request.stress === null) return { reasons: [], evidence: [] };
  const { command, thresholds } = request.stress;
  const common = { repository_id: request.repository_id, holder: `${request.mission_id}:landing`, setup: request.setup_command, test: command };
  const key = `${request.request_id}:${commit.tree}:stress`;
  const base = await runTestsOnce(deps, { ...common, at: tip, setup_counts: false, key: `${key}:tip` }, signal);
  const merged = await runTestsOnce(deps, { ...common, at: commit, setup_counts: true, key: `${key}:merged` }, signal);
  return { reasons: judgeStress(thresholds, base, merged), evidence: merged.evidence };
}

/** The tip's run as if the tests that only the reverted change made pass had failed there. */
function withoutGained(tip: TestRun, beforeChange: TestRun): TestRun {
  const passed = new Set(beforeChange.report?.cases.filter((test) => test.status === 'passed').map(testId));
  const cases = tip.report?.cases.map((test) => (passed.has(testId(test)) ? test : { ...test, status: 'failed' as const }));
  return { ...tip, report: cases === undefined ? null : { cases } };
}
