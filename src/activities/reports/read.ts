/** Finds and reads the report of a finished command: from its output, or by a path glob inside the worktree. */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { glob } from 'tinyglobby';
import type { ReportSource } from '../../domain/commands.ts';
import type { TestReport } from '../../domain/test-report.ts';
import { parseJunit } from './junit.ts';
import { parseNodeTest } from './node-test.ts';

const maxReportBytes = 50 * 1024 * 1024;
const maxReportFiles = 2_000;

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

/** All tests of a run, or null when nothing readable came out. */
export function parseTestReport(format: ReportSource['format'], texts: readonly string[]): TestReport | null {
  const parse = { junit: parseJunit, node_test: parseNodeTest, metrics_json: () => null }[format];
  const reports = texts.map(parse).filter((report): report is TestReport => report !== null);
  return reports.length === 0 ? null : { cases: reports.flatMap((report) => report.cases) };
}
