import { isAbsolute, relative } from 'node:path';
import type { TestCase, TestReport, TestStatus } from '../../domain/test-report.ts';

/** Words of jest and vitest for a test that did not run. */
const notRun = new Set(['pending', 'skipped', 'todo', 'disabled', 'focused']);

/**
 * Reads the JSON that jest writes, which vitest writes alike. A file that could not be loaded is a failed test named by the file.
 * @param root the worktree: files are named relative to it, because it is another one for every run
 * @returns null when it is not such a report
 */
export function parseJestJson(text: string, root: string): TestReport | null {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return null;
  }
  const results = (value as { testResults?: unknown } | null)?.testResults;
  if (!Array.isArray(results)) return null;
  return { cases: results.flatMap((result) => (isObject(result) ? ofFile(result, root) : [])) };
}

function ofFile(result: Record<string, unknown>, root: string): TestCase[] {
  const name = text(result['name']);
  const file = isAbsolute(name) && root !== '' ? relative(root, name) : name;
  const tests = (Array.isArray(result['assertionResults']) ? result['assertionResults'] : []).filter(isObject);
  const cases = tests.map((test): TestCase => ({
    file, path: [...texts(test['ancestorTitles']), text(test['title'])], status: statusOf(test['status']),
    duration_ms: typeof test['duration'] === 'number' ? Math.round(test['duration']) : null,
    message: texts(test['failureMessages'])[0]?.slice(0, 2_000) ?? null,
  }));
  // The file failed though none of its tests did: it could not be loaded, or a hook of it threw.
  const unexplained = result['status'] === 'failed' && cases.every((test) => test.status !== 'failed');
  return unexplained
    ? [...cases, { file, path: [file], status: 'failed', duration_ms: null, message: text(result['message']).slice(0, 2_000) }]
    : cases;
}

/** A word that we do not know is no pass. */
function statusOf(word: unknown): TestStatus {
  if (word === 'passed') return 'passed';
  return typeof word === 'string' && notRun.has(word) ? 'skipped' : 'failed';
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []);
