/**
 * Asking runners for a report without knowing the command line that starts them: by variables that node, pytest and
 * unittest read wherever they are started. Each writes into a folder of this run, under a name that says what it is.
 */
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { askedFormats, type ReportFormat, type ReportSource } from '../../domain/commands.ts';
import type { TestReport } from '../../domain/test-report.ts';
import { askedReporters, nodeTestReporter } from '../../project.ts';
import { parseJestJson } from './jest-json.ts';
import { parsePytestJunit } from './junit.ts';
import { parseNodeTest } from './node-test.ts';
import { maxReportBytes, maxReportFiles, parseTestReport, together } from './read.ts';

export const isAsked = (source: ReportSource | undefined): source is ReportSource =>
  source !== undefined && source.path === undefined && source.from === undefined && askedFormats.includes(source.format);

/** @param folder an empty one of this run, which the command may write to */
export function askingEnvironment(folder: string): Record<string, string> {
  const options = [
    `--require=${JSON.stringify(join(askedReporters, 'node-runners.cjs'))}`,
    // Beside the runner's own report, which people read.
    `--test-reporter=${pathToFileURL(nodeTestReporter).href}`, '--test-reporter-destination=stdout',
    '--test-reporter=spec', '--test-reporter-destination=stdout',
  ].join(' ');
  return {
    MISSION_CONTROL_REPORTS: folder,
    MISSION_CONTROL_NODE_TEST_REPORT: join(folder, 'lines-node-test.ndjson'),
    NODE_OPTIONS: options,
    MISSION_CONTROL_ASKING_OPTIONS: options,
    PYTHONPATH: join(askedReporters, 'python'),
    // Our folder, too, would get a `__pycache__`.
    PYTHONDONTWRITEBYTECODE: '1',
    // The older form of the document names the file of each test.
    PYTEST_ADDOPTS: `${JSON.stringify(`--junitxml=${join(folder, 'pytest.xml')}`)} -o junit_family=xunit1`,
  };
}

/** Beginnings of the files' names. */
const kinds = new Map<string, { format: ReportFormat; parse: (text: string, root: string) => TestReport | null }>(Object.entries({
  lines: { format: 'node_test', parse: parseNodeTest },
  jest: { format: 'jest_json', parse: parseJestJson },
  vitest: { format: 'vitest_json', parse: parseJestJson },
  pytest: { format: 'pytest_junit', parse: parsePytestJunit },
}));

/** What the asked runners wrote; with `auto`, if they wrote nothing, what standard output itself is. */
export async function readAsked(format: ReportFormat, folder: string, root: string, stdout: string): Promise<TestReport | null> {
  const files = await readdir(folder, { withFileTypes: true });
  const reports: (TestReport | null)[] = [];
  for (const file of files.filter((entry) => entry.isFile()).map((entry) => entry.name).sort().slice(0, maxReportFiles)) {
    const kind = kinds.get(/^[a-z]+/.exec(file)?.[0] ?? '');
    if (kind === undefined || (format !== 'auto' && format !== kind.format)) continue;
    reports.push(kind.parse(await readOwn(join(folder, file)), root));
  }
  const asked = together(reports);
  return asked !== null || format !== 'auto' ? asked : parseTestReport('auto', [stdout]);
}

/** The folder belongs to the command too: no link is followed, and no pipe waited for. */
async function readOwn(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    return stat.isFile() && stat.size <= maxReportBytes ? await file.readFile('utf8') : '';
  } finally {
    await file.close();
  }
}
