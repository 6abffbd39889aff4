import { useSignal } from '@preact/signals';
import type { StageRecord } from '../../../domain/stages.ts';
import { matchesName, type TestCase, type TestRun, type TestVerdict } from '../../../domain/test-report.ts';
import { Chip } from '../../parts/chip.tsx';
import { Empty, Loading } from '../../parts/states.tsx';
import { took } from '../../time.ts';
import { plural } from '../../words.ts';
import { artifactPath } from '../../api.ts';
import { evidenceOf, shownBytes, useJsonArtifact } from './artifact.ts';

const order = { failed: 0, skipped: 1, passed: 2 } as const;
const tones = { failed: 'bad', skipped: 'unknown', passed: 'good' } as const;
const atFirst = 100;

/** What the tests of the candidate said, failures first; read from the stored report, not from anybody's words. */
export function TestsTab({ stages, required }: { stages: readonly StageRecord[]; required: readonly string[] }) {
  const all = useSignal(false);
  const stage = stages.filter((one) => one.name === 'run_tests');
  // The candidate's run comes first in its stage's evidence; the base's is beside it, for comparison.
  const ref = evidenceOf(stage, 'test_run')[0];
  const run = useJsonArtifact<TestRun>(ref);
  const verdict = useJsonArtifact<TestVerdict>(evidenceOf(stage, 'test_verdict')[0]);
  if (ref === undefined) return <Empty title="No tests yet">They run once a candidate has been applied.</Empty>;
  if (ref.size_bytes > shownBytes) return <Empty title="Too large to show"><a href={artifactPath(ref.sha256)} download>Download the report</a></Empty>;
  if (run.value === undefined) return run.error === null ? <Loading what="the report" /> : <Empty title="Not readable">{run.error}</Empty>;
  const cases = [...run.value.report?.cases ?? []].sort((a, b) => order[a.status] - order[b.status]);
  // Verdicts of earlier versions do not have it.
  const { appeared = [], flaky = [] } = verdict.value ?? {};
  const isRequired = (test: TestCase): boolean => required.some((name) => matchesName(test, name));
  return (
    <>
      {verdict.value !== undefined && (
        <div class="pad">
          <Chip tone={verdict.value.passed ? 'good' : 'bad'}>{verdict.value.passed ? 'proved' : 'not proved'}</Chip>{' '}
          <span class="num">{verdict.value.counts.passed} passed · {verdict.value.counts.failed} failed · {verdict.value.counts.skipped} skipped</span>
          {verdict.value.reasons.map((line) => <p key={line} class="wrap bad">{line}</p>)}
          {flaky.length > 0 && <p class="sub">flaky, failed in another run of the same tree: {flaky.join(', ')}</p>}
          {verdict.value.tolerated.length > 0 && <p class="sub">failed before the change, too: {verdict.value.tolerated.join(', ')}</p>}
          {verdict.value.vanished.length > 0 && <p class="sub">passed before the change and are gone: {verdict.value.vanished.join(', ')}</p>}
          {verdict.value.vanished.length > 0 && appeared.length > 0 && <p class="sub">new, perhaps the same under other names: {appeared.join(', ')}</p>}
        </div>
      )}
      {run.value.setup_failure !== undefined && <p class="pad bad">The setup command failed: {run.value.setup_failure}</p>}
      {run.value.note !== undefined && <p class="pad sub wrap">{run.value.note}</p>}
      {cases.length === 0 && <Empty title="No test was reported">Exit code {run.value.exit_code ?? 'none'}{run.value.timed_out ? ', ran into its time limit' : ''}. The output is under Log.</Empty>}
      {cases.length > 0 && (
        <table>
          <thead><tr><th>Test</th><th>Result</th><th class="right">Time</th></tr></thead>
          <tbody>
            {cases.slice(0, all.value ? undefined : atFirst).map((test, i) => (
              <tr key={i}>
                <td class="wrap">
                  {test.path.join(' › ')} {isRequired(test) && <Chip tone="run">required</Chip>}
                  {test.file !== '' && <div class="sub mono">{test.file}</div>}
                  {test.message !== null && <pre class="message">{test.message}</pre>}
                </td>
                <td><Chip tone={tones[test.status]}>{test.status}</Chip></td>
                <td class="right mono">{test.duration_ms === null ? '' : took(test.duration_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {!all.value && cases.length > atFirst && <p class="pad"><button type="button" onClick={() => { all.value = true; }}>Show {plural(cases.length - atFirst, 'more test')}</button></p>}
    </>
  );
}
