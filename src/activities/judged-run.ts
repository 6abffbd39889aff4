/** A tree's tests beside another tree's, run again as often as policy says where they fail. */
import { bestOf, withFlaky, worthAnotherRun } from '../domain/flaky.ts';
import { judgeTests, type TestRun, type TestVerdict } from '../domain/test-report.ts';
import type { ActivityDeps } from './deps.ts';
import { loadRun, runTestsOnce, type StoredTestRun, type TestRunRequest } from './test-run.ts';

export interface JudgedRun {
  verdict: TestVerdict;
  /** The last run of the tree; the evidence has all of them. */
  stored: StoredTestRun;
  run: TestRun;
}

/**
 * Safe to repeat: every run has a key of its own.
 * @param base the run to compare with, and how to make another one of that tree
 * @param reruns how often a run that fails is repeated; 0: never
 */
export async function judgedRun(
  deps: ActivityDeps, request: TestRunRequest,
  { base, baseAgain, required, reruns }: { base: TestRun; baseAgain: () => Promise<TestRun>; required: readonly string[]; reruns: number }, signal: AbortSignal,
): Promise<JudgedRun> {
  const runs: { stored: StoredTestRun; run: TestRun }[] = [];
  let before = base;
  for (;;) {
    const n = runs.length;
    const stored = await runTestsOnce(deps, { ...request, key: n === 0 ? request.key : `${request.key}:rerun:${n}` }, signal);
    const run = await loadRun(deps, stored);
    runs.push({ stored, run });
    let verdict = judgeTests(required, before, run);
    if (verdict.tolerated.length > 0 && reruns > 0 && before === base) {
      // Excused only if the base fails again: else its failure was chance, and the candidate's may be its own.
      before = bestOf(base, await baseAgain());
      verdict = judgeTests(required, before, run);
    }
    if (!verdict.passed && n < reruns && worthAnotherRun(run, required)) continue;
    const evidence = runs.slice(0, -1).flatMap(({ stored: earlier }, i) =>
      earlier.evidence.map((item) => ({ ...item, kind: `run_${i + 1}_${item.kind}`, summary: `run ${i + 1}: ${item.summary}` })));
    return {
      verdict: withFlaky(verdict, runs.map((one) => one.run), required),
      stored: { ...stored, evidence: [...stored.evidence, ...evidence] }, run,
    };
  }
}
