/** Installing a worktree's dependencies: the repository's setup command, run once the checkout is clean. */
import { Context } from '@temporalio/activity';
import type { CommandSpec } from '../domain/commands.ts';
import { failure } from '../engine/failure.ts';
import { confinementOf } from './confinement.ts';
import type { Downloads } from './dependencies/downloads.ts';
import type { ActivityDeps } from './deps.ts';

/** A setup command may fail for the network's sake: it is tried this often before a person is asked. */
const setupTries = 3;

/**
 * Safe to repeat: the worktree was reset before.
 * @param where `path` of the worktree; `holder` marks what runs in it; `env` has the caches of package managers
 * @returns how long it took, in milliseconds
 * @throws SETUP_FAILED naming the artefact with the command's output
 */
export async function runSetup(
  deps: Pick<ActivityDeps, 'processes' | 'artifacts' | 'config' | 'mirrors'>,
  where: { setup: CommandSpec; path: string; holder: string; repository_id: string; downloads: Downloads }, signal: AbortSignal,
): Promise<number> {
  const { setup, path, holder, downloads } = where;
  const { sandbox, readable } = await confinementOf(deps, where.repository_id);
  const run = await deps.processes.run({
    ...setup, sandbox, cwd: path, marker: holder, env: downloads.setup, signal,
    readable: [...readable, downloads.folder], writable: downloads.writable ? [downloads.folder] : [],
  });
  const log = await deps.artifacts.putFile(run.output_file, 'text/plain');
  if (run.exit_code !== 0 || run.limit?.evidence === 'certain') {
    const ended = run.limit !== null ? `RESOURCE_LIMIT ${run.limit.detail}` : run.timed_out ? 'its time limit' : `exit code ${run.exit_code}`;
    throw failure('SETUP_FAILED', `${setup.argv.join(' ')} ended with ${ended}; output in artefact ${log.sha256}`, Context.current().info.attempt >= setupTries);
  }
  return run.duration_ms;
}
