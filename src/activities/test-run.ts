/** One run of a test command on one tree, with everything kept that makes it evidence. */
import { randomUUID } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CommitRef } from '../domain/coding.ts';
import type { CommandSpec } from '../domain/commands.ts';
import type { LimitHit } from '../domain/limits.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import type { TestReport, TestRun } from '../domain/test-report.ts';
import { hasCode } from '../engine/failure.ts';
import { removeFolder } from '../git/remove-folder.ts';
import { digestOf } from '../ledger/canonical.ts';
import { askedReporters, httpLoad, libraries } from '../project.ts';
import { evidence, type StoredArtifact } from '../store/artifacts.ts';
import { once } from '../store/effects.ts';
import type { ActivityDeps } from './deps.ts';
import { confinementFacts, confinementOf } from './confinement.ts';
import { commandEnvironment } from './process/environment.ts';
import type { RunResult } from './process/runner.ts';
import { askingEnvironment, isAsked, readAsked } from './reports/asking.ts';
import { parseMetricsJson } from './reports/metrics-json.ts';
import { parseTestReport, reportTexts } from './reports/read.ts';
import { inVirtualenv, makeToolFolder, toolEnvironment } from './tool-environment.ts';
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
  const prepared = (): Promise<ReadyWorktree> =>
    prepareWorktree(deps, request.repository_id, request.holder, request.at, request.setup, signal);
  let worktree: ReadyWorktree;
  try {
    worktree = await prepared();
  } catch (error) {
    if (!request.setup_counts || !hasCode(error, 'SETUP_FAILED') || error.nonRetryable !== true) throw error;
    const result: TestRun = { tree: request.at.tree, exit_code: null, timed_out: false, report: null, setup_failure: error.message };
    const stored = await deps.artifacts.putJson({ ...result });
    return { tree: request.at.tree, exit_code: null, timed_out: false, metrics: {}, evidence: [evidence('test_run', stored, 'the setup command failed')] };
  }
  try {
    let ran = await runCommand(deps, request, worktree.path, 'asked', signal);
    if (mayBeOurFault(request.test, ran)) {
      // On a clean checkout again: what the first run left is not part of the tree.
      worktree = await prepared();
      const { log } = ran;
      ran = { ...await runCommand(deps, request, worktree.path, 'plain', signal), note: `asked for a report, the command failed without one (output in artefact ${log.sha256}); this is the plain command's run` };
    }
    return await store(deps, request, ran);
  } finally {
    await worktree.release();
  }
}

/** One run of the command, in a checkout that is ready for it. */
interface CommandRun {
  run: RunResult;
  report: TestReport | null;
  metrics: Record<string, number>;
  log: StoredArtifact;
  note?: string;
}

/** @param manner `asked`: its runners are asked for a report, if they are to be; `plain`: nothing is asked of them */
async function runCommand(
  deps: ActivityDeps, { test, holder, repository_id }: TestRunRequest, path: string, manner: 'asked' | 'plain', signal: AbortSignal,
): Promise<CommandRun> {
  const { config, processes, artifacts } = deps;
  const source = test.report;
  const asks = manner === 'asked' && isAsked(source);
  const reports = join(config.home, 'scratch', `reports-${randomUUID()}`);
  await mkdir(reports, { recursive: true, mode: 0o700 });
  await makeToolFolder(path);
  try {
    const { sandbox, readable } = await confinementOf(deps, repository_id);
    const run = await processes.run({
      ...test, argv: underLoad(test, inVirtualenv(path, test.argv)), sandbox, cwd: path, marker: holder, signal,
      readable: [...readable, askedReporters, ...(test.http_load === undefined ? [] : [dirname(httpLoad), libraries])], writable: [reports],
      env: { ...toolEnvironment(path, test.network), ...(asks ? askingEnvironment(reports) : {}) },
    });
    // Of an output that was cut off, the rest of the report is missing, and nothing says which tests were in it.
    const stdout = run.truncated ? '' : run.stdout;
    const texts = source === undefined || isAsked(source) ? [stdout] : await reportTexts(source, path, stdout);
    const report = source === undefined ? null
      : asks ? await readAsked(source.format, reports, await realpath(path), stdout)
      : parseTestReport(source.format, texts, await realpath(path));
    const figures = parseMetricsJson(source?.format === 'metrics_json' ? texts.join('\n') : run.stdout);
    return { run, report, metrics: figures ?? {}, log: await artifacts.putFile(run.output_file, 'text/plain') };
  } finally {
    await removeFolder(reports);
  }
}

/** A service is started by whoever loads it. */
const underLoad = ({ http_load: load }: CommandSpec, argv: string[]): string[] =>
  (load === undefined ? argv : [process.execPath, httpLoad, JSON.stringify(load), ...argv]);

/** The command failed and no runner reported: perhaps because it was asked to. A run that was ended says nothing about that. */
const mayBeOurFault = (test: CommandSpec, { run, report }: CommandRun): boolean =>
  isAsked(test.report) && report === null && !run.timed_out && run.limit?.evidence !== 'certain' && run.exit_code !== null && run.exit_code !== 0;

async function store({ artifacts }: ActivityDeps, { at, test }: TestRunRequest, ran: CommandRun): Promise<StoredTestRun> {
  const { run, report, metrics, log, note } = ran;
  const { exit_code, timed_out } = run;
  const limit = run.limit === null ? {} : { limit: run.limit };
  const result: TestRun = { tree: at.tree, exit_code, timed_out, report, ...limit, ...(note === undefined ? {} : { note }) };
  const stored = await artifacts.putJson({
    ...result, commit: at.commit, argv: test.argv, signal: run.signal,
    duration_ms: run.duration_ms, output: log.sha256, output_truncated: run.truncated, sandbox: run.sandbox,
    cpu_seconds: run.cpu_seconds, peak_memory_mib: run.peak_memory_mib,
  });
  const summary = report === null ? 'no readable report' : `${report.cases.length} tests reported`;
  return {
    tree: at.tree, exit_code, timed_out, ...limit, metrics,
    evidence: [
      evidence('test_run', stored, `${endOf(run)}, ${summary}, sandbox ${run.sandbox.level}, tree ${at.tree.slice(0, 12)}`),
      evidence('log', log, `output of ${test.argv.join(' ')}`.slice(0, 200)),
    ],
  };
}

/** How a run ended, in a few words. */
const endOf = ({ exit_code, limit }: Pick<RunResult, 'exit_code' | 'limit'>): string =>
  (limit?.evidence === 'certain' ? `RESOURCE_LIMIT ${limit.detail}` : `exit code ${exit_code}`);
