import type { TestCase, TestReport } from '../../domain/test-report.ts';
import { jsonLines } from './json-lines.ts';

interface Event { Action: string; Package: string; Test: string; Output: string; Elapsed: number | null }

const ends = { pass: 'passed', fail: 'failed', skip: 'skipped' } as const;
const maxMessage = 2_000;

/**
 * Reads the events of `go test -json`. A subtest `TestSum/small` is the path `TestSum > small`. A package that failed though
 * none of its tests did (it does not build, it panicked) is a failed test named by the package, and so is a test that was
 * started and never ended.
 * @returns null when there is no such event
 */
export function parseGoTestJson(text: string): TestReport | null {
  const cases: TestCase[] = [];
  const open = new Map<string, TestCase>();
  const failedPackages = new Map<string, string>();
  const outputs = new Map<string, string>();
  let events = 0;
  for (const line of jsonLines(text.split('\n'))) {
    const event = readEvent(line);
    if (event === undefined) continue;
    events += 1;
    const { Action: action, Package: pack, Test: name, Output: output, Elapsed: elapsed } = event;
    const key = JSON.stringify([pack, name]);
    if (action === 'output' || action === 'build-output') {
      const kept = outputs.get(key) ?? '';
      if (kept.length < maxMessage) outputs.set(key, (kept + output).slice(0, maxMessage));
    } else if (action === 'run') {
      open.set(key, testOf(pack, name, 'failed', null, 'started and never ended'));
    } else if (action === 'pass' || action === 'fail' || action === 'skip') {
      open.delete(key);
      if (name === '' && action === 'fail') failedPackages.set(pack, key);
      else if (name !== '') cases.push(testOf(pack, name, ends[action], elapsed, action === 'fail' ? outputs.get(key) ?? null : null));
    }
  }
  if (events === 0) return null;
  cases.push(...open.values());
  const explained = new Set(cases.flatMap((test) => (test.status === 'failed' ? [test.file] : [])));
  for (const [pack, key] of failedPackages) {
    if (!explained.has(pack)) cases.push({ file: pack, path: [pack], status: 'failed', duration_ms: null, message: outputs.get(key) ?? null });
  }
  return { cases };
}

const testOf = (file: string, name: string, status: TestCase['status'], seconds: number | null, message: string | null): TestCase =>
  ({ file, path: name.split('/'), status, duration_ms: seconds === null ? null : Math.round(seconds * 1_000), message });

function readEvent({ Action, Package, ImportPath, Test, Output, Elapsed }: Record<string, unknown>): Event | undefined {
  if (typeof Action !== 'string') return undefined;
  const pack = typeof Package === 'string' ? Package : ImportPath;
  if (typeof pack !== 'string') return undefined;
  return {
    Action, Package: pack, Test: typeof Test === 'string' ? Test : '', Output: typeof Output === 'string' ? Output : '',
    Elapsed: typeof Elapsed === 'number' && Number.isFinite(Elapsed) ? Elapsed : null,
  };
}
