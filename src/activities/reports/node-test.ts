import type { TestCase, TestReport } from '../../domain/test-report.ts';

/** Reads the lines of our node:test reporter. Lines that are not ours are ignored; no line at all is no report. */
export function parseNodeTest(text: string): TestReport | null {
  const cases = text.split('\n').flatMap((line) => {
    const test = readLine(line);
    return test === undefined ? [] : [test];
  });
  return cases.length === 0 ? null : { cases };
}

function readLine(line: string): TestCase | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { file, path, status, duration_ms, message } = value as Record<string, unknown>;
  if (!Array.isArray(path) || !path.every((part) => typeof part === 'string') || path.length === 0) return undefined;
  if (status !== 'passed' && status !== 'failed' && status !== 'skipped') return undefined;
  return {
    file: typeof file === 'string' ? file : '', path, status,
    duration_ms: typeof duration_ms === 'number' ? Math.round(duration_ms) : null,
    message: typeof message === 'string' ? message : null,
  };
}
