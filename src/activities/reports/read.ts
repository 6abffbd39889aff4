/** Finds and reads the report of a finished command: from its output, or by a path glob inside the worktree. */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { glob } from 'tinyglobby';
import type { ReportFormat, ReportSource } from '../../domain/commands.ts';
import type { TestReport } from '../../domain/test-report.ts';
import { parseCargoTest } from './cargo-test.ts';
import { parseGoTestJson } from './go-test-json.ts';
import { parseJestJson } from './jest-json.ts';
import { parseJunit, parsePytestJunit } from './junit.ts';
import { parseNodeTest } from './node-test.ts';
import { parseTap } from './tap.ts';

export const maxReportBytes = 50 * 1024 * 1024;
export const maxReportFiles = 2_000;
/** More than this is no test suite. */
const maxCases = 200_000;

/** Texts of the report's files, or the standard output. A link that leads out of the worktree is not followed. */
export async function reportTexts(source: ReportSource, worktree: string, stdout: string): Promise<string[]> {
  if (source.from === 'stdout' || source.path === undefined) return [stdout];
  const files = await glob(source.path, { cwd: worktree, dot: true, onlyFiles: true, followSymbolicLinks: false });
  const root = await realpath(worktree);
  const texts: string[] = [];
  for (const file of files.sort().slice(0, maxReportFiles)) {
    const path = await realpath(join(worktree, file)).catch(() => undefined);
    if (path === undefined || !path.startsWith(root + sep)) continue;
    texts.push(await readCapped(path));
  }
  return texts;
}

async function readCapped(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await file.stat();
    return size > maxReportBytes ? '' : await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

const parsers: Record<ReportFormat, (text: string, root: string) => TestReport | null> = {
  junit: (text) => parseJunit(text), pytest_junit: parsePytestJunit, tap: parseTap, go_test_json: parseGoTestJson, node_test: parseNodeTest,
  vitest_json: parseJestJson, jest_json: parseJestJson, cargo_test: parseCargoTest, metrics_json: () => null,
  // Several languages under one `make test` are one report.
  auto: (text) => together([parseTap(text), parseGoTestJson(text), parseCargoTest(text)]),
};

/**
 * All tests of a run, or null when nothing readable came out.
 * @param root the worktree, for runners that name files by absolute paths
 */
export const parseTestReport = (format: ReportFormat, texts: readonly string[], root = ''): TestReport | null =>
  together(texts.map((text) => parsers[format](text, root)));

/** One report of several; those that could not be read do not count. */
export function together(reports: readonly (TestReport | null)[]): TestReport | null {
  const read = reports.filter((report) => report !== null);
  const cases = read.flatMap((report) => report.cases);
  return read.length === 0 || cases.length > maxCases ? null : { cases };
}
