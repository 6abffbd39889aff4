/** One run of a test command on one tree, with everything kept that makes it evidence. */
import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CommitRef } from '../domain/coding.ts';
import type { CommandSpec } from '../domain/commands.ts';
import type { LimitHit } from '../domain/limits.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import type { TestRun } from '../domain/test-report.ts';
import { hasCode } from '../engine/failure.ts';
import { digestOf } from '../ledger/canonical.ts';
import { nodeTestReporter } from '../project.ts';
import { evidence } from '../store/artifacts.ts';
import { once } from '../store/effects.ts';
import type { ActivityDeps } from './deps.ts';
import { confinementFacts, confinementOf } from './confinement.ts';
import { commandEnvironment } from './process/environment.ts';
import type { RunResult } from './process/runner.ts';
import { parseMetricsJson } from './reports/metrics-json.ts';
import { parseTestReport, reportTexts } from './reports/read.ts';
import { prepareWorktree, type ReadyWorktree } from './worktree.ts';

export interface TestRunRequest {
  repository_id: string;
  /** Who holds the worktree: the mission, or its landing. */
  holder: string;
  at: CommitRef;
  setup: CommandSpec | null;
  test: CommandSpec;
  /** Whether a failing setup is the tree's own fault: it worked on the base. */
  setup_counts: boolean;
  /** A run with the same key is not repeated. */
  key: string;
}

/** The stored run: `run` is an artefact with the whole `TestRun`. */
export interface StoredTestRun {
  tree: string;
  exit_code: number | null;
  timed_out: boolean;
  limit?: LimitHit;
  metrics: Record<string, number>;
  evidence: EvidenceRef[];
}

/** Key of a base run: the same tree, command, environment and sandbox give the same result for every mission. */
export async function sharedRunKey(deps: ActivityDeps, tree: string, setup: CommandSpec | null, test: CommandSpec): Promise<string> {
  const env = commandEnvironment({ network: test.network, marker: '' }, '', '');
  return `tests:${tree}:${digestOf({ setup, test, env, sandbox: await confinementFacts(deps, [setup, test]), node: process.version, platform: process.platform, arch: process.arch })}`;
}

/** Runs the command once per key, on a clean checkout, and stores log, report and result. */
export async function runTestsOnce(deps: ActivityDeps, request: TestRunRequest, signal: AbortSignal): Promise<StoredTestRun> {
  return once(deps.database.query, request.key, () => runTests(deps, request, signal));
}

export async function loadRun(deps: Pick<ActivityDeps, 'artifacts'>, run: StoredTestRun): Promise<TestRun> {
  const stored = run.evidence.find((item) => item.kind === 'test_run')!;
  return JSON.parse((await deps.artifacts.read(stored.sha256)).toString('utf8')) as TestRun;
}

async function runTests(deps: ActivityDeps, request: TestRunRequest, signal: AbortSignal): Promise<StoredTestRun> {
  const { config, processes, artifacts } = deps;
  let worktree: ReadyWorktree;
  try {
    worktree = await prepareWorktree(deps, request.repository_id, request.holder, request.at, request.setup, signal);
  } catch (error) {
    if (!request.setup_counts || !hasCode(error, 'SETUP_FAILED') || error.nonRetryable !== true) throw error;
    const result: TestRun = { tree: request.at.tree, exit_code: null, timed_out: false, report: null, setup_failure: error.message };
    const stored = await artifacts.putJson({ ...result });
    return { tree: request.at.tree, exit_code: null, timed_out: false, metrics: {}, evidence: [evidence('test_run', stored, 'the setup command failed')] };
  }
  const { path } = worktree;
  const reportFile = join(config.home, 'scratch', `report-${randomUUID()}.ndjson`);
  try {
    const confinement = await confinementOf(deps, request.repository_id);
    // It must be there to be shown in the sandbox.
    await writeFile(reportFile, '', { mode: 0o600 });
    const asksReporter = request.test.report?.format === 'node_test' && request.test.report.from === undefined;
    const run = await processes.run({
      ...request.test, sandbox: confinement.sandbox, readable: [...confinement.readable, ...worktree.readable], writable: [reportFile], cwd: path, marker: request.holder, signal,
      env: { ...worktree.env, ...(asksReporter ? reporterEnvironment(reportFile) : {}) },
    });
    const source = request.test.report;
    const texts = source === undefined ? []
      : asksReporter ? [await readFile(reportFile, 'utf8').catch(() => '')]
      : await reportTexts(source, path, run.stdout);
    const report = source === undefined ? null : parseTestReport(source.format, texts);
    const figures = parseMetricsJson(source?.format === 'metrics_json' ? texts.join('\n') : run.stdout);
    const log = await artifacts.putFile(run.output_file, 'text/plain');
    const result: TestRun = { tree: request.at.tree, exit_code: run.exit_code, timed_out: run.timed_out, report, ...(run.limit === null ? {} : { limit: run.limit }) };
    const stored = await artifacts.putJson({
      ...result, commit: request.at.commit, argv: request.test.argv, signal: run.signal,
      duration_ms: run.duration_ms, output: log.sha256, output_truncated: run.truncated, sandbox: run.sandbox,
      cpu_seconds: run.cpu_seconds, peak_memory_mib: run.peak_memory_mib,
    });
    const summary = report === null ? 'no readable report' : `${report.cases.length} tests reported`;
    return {
      tree: request.at.tree, exit_code: run.exit_code, timed_out: run.timed_out, ...(run.limit === null ? {} : { limit: run.limit }),
      metrics: figures ?? {},
      evidence: [
        evidence('test_run', stored, `${endOf(run)}, ${summary}, sandbox ${run.sandbox.level}, tree ${request.at.tree.slice(0, 12)}`),
        evidence('log', log, `output of ${request.test.argv.join(' ')}`.slice(0, 200)),
      ],
    };
  } finally {
    await rm(reportFile, { force: true });
    await worktree.release();
  }
}

/** How a run ended, in a few words. */
const endOf = ({ exit_code, limit }: Pick<RunResult, 'exit_code' | 'limit'>): string =>
  (limit?.evidence === 'certain' ? `RESOURCE_LIMIT ${limit.detail}` : `exit code ${exit_code}`);

/** Asks node's test runner for our report beside its own. */
const reporterEnvironment = (file: string): Record<string, string> => ({
  NODE_OPTIONS: [
    `--test-reporter=${pathToFileURL(nodeTestReporter).href}`, '--test-reporter-destination=stdout',
    '--test-reporter=spec', '--test-reporter-destination=stdout',
  ].join(' '),
  MISSION_CONTROL_NODE_TEST_REPORT: file,
});
