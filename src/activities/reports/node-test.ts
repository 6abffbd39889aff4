import { testId, type TestCase, type TestReport } from '../../domain/test-report.ts';
import { jsonLines } from './json-lines.ts';

/**
 * Reads the lines of our own reporters (node:test, mocha, unittest). Lines that are not ours are ignored; no line at all
 * is no report. A test that was started and never ended, because its program crashed, has failed.
 */
export function parseNodeTest(text: string): TestReport | null {
  const cases: TestCase[] = [];
  const open = new Map<string, TestCase[]>();
  for (const line of jsonLines(text.split('\n'))) {
    const read = readLine(line);
    if (read === undefined) continue;
    const id = testId(read.test);
    if (read.started) open.set(id, [...open.get(id) ?? [], read.test]);
    else {
      cases.push(read.test);
      open.get(id)?.pop();
    }
  }
  for (const unfinished of open.values()) cases.push(...unfinished);
  return cases.length === 0 ? null : { cases };
}

function readLine({ file, path, status, duration_ms, message }: Record<string, unknown>): { started: boolean; test: TestCase } | undefined {
  if (!Array.isArray(path) || !path.every((part) => typeof part === 'string') || path.length === 0) return undefined;
  if (status !== 'started' && status !== 'passed' && status !== 'failed' && status !== 'skipped') return undefined;
  const started = status === 'started';
  return {
    started,
    test: {
      file: typeof file === 'string' ? file : '', path, status: started ? 'failed' : status,
      duration_ms: typeof duration_ms === 'number' ? Math.round(duration_ms) : null,
      message: started ? 'started and never ended' : typeof message === 'string' ? message : null,
    },
  };
}
