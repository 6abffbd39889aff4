/** Installing a worktree's dependencies: the repository's setup command, run once the checkout is clean. */
import { Context, log } from '@temporalio/activity';
import type { CommandSpec, SetupStep } from '../domain/commands.ts';
import { failure } from '../engine/failure.ts';
import { confinementOf } from './confinement.ts';
import type { Downloads } from './dependencies/downloads.ts';
import type { ActivityDeps } from './deps.ts';
import { inVirtualenv, makeToolFolder, toolEnvironment } from './tool-environment.ts';

/** A setup command may fail for the network's sake: it is tried this often before a person is asked. */
const setupTries = 3;

/**
 * Takes every step of the setup. Safe to repeat: the worktree was reset before.
 * @param where `path` of the worktree; `holder` marks what runs in it; `downloads` are the caches of package managers
 * @returns how long it took, in milliseconds
 * @throws SETUP_FAILED naming the step and the artefact with its output
 */
export async function runSetup(
  deps: Pick<ActivityDeps, 'processes' | 'artifacts' | 'config' | 'mirrors'>,
  where: { setup: CommandSpec; path: string; holder: string; repository_id: string; downloads: Downloads }, signal: AbortSignal,
): Promise<number> {
  const { setup: { next = [], ...first }, path, holder, downloads } = where;
  const { sandbox, readable } = await confinementOf(deps, where.repository_id);
  await makeToolFolder(path);
  let duration_ms = 0;
  for (const step of [first, ...next] satisfies SetupStep[]) {
    const run = await deps.processes.run({
      ...step, limits: step.limits ?? first.limits, argv: inVirtualenv(path, step.argv), sandbox, cwd: path, marker: holder, signal,
      env: { ...toolEnvironment(path, step.network), ...downloads.setup }, readable, writable: downloads.writable ? [downloads.folder] : [],
    });
    duration_ms += run.duration_ms;
    const output = await deps.artifacts.putFile(run.output_file, 'text/plain');
    if (run.exit_code === 0 && run.limit?.evidence !== 'certain') continue;
    const ended = run.limit !== null ? `RESOURCE_LIMIT ${run.limit.detail}` : run.timed_out ? 'its time limit' : `exit code ${run.exit_code}`;
    const problem = `${step.argv.join(' ')} ended with ${ended}; output in artefact ${output.sha256}`;
    if (!('may_fail' in step) || step.may_fail !== true) throw failure('SETUP_FAILED', problem, Context.current().info.attempt >= setupTries);
    log.warn('setup step failed', { problem });
  }
  return duration_ms;
}
