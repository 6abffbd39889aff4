/**
 * What other gits leave in the way of the next one. One that was killed leaves its lock files, and every later one refuses.
 * Such a lock is taken away only when nobody can hold it: no git that we or a repository's command started, and that still
 * runs, was there when it was made.
 */
import { lstatSync, rmSync } from 'node:fs';
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { GitResult } from './git.ts';

/** A few things at most lie in one command's way. */
const maxRuns = 6;

/** Runs git again after a lock that nobody holds was taken out of its way, or a folder that another git had just removed. */
export async function withoutObstacles(run: () => Promise<GitResult>, gitDir: string | undefined, ourHome: string): Promise<GitResult> {
  for (let runs = 1; ; runs += 1) {
    const result = await run();
    if (result.code === 0 || runs === maxRuns) return result;
    if (lostItsFolder.test(result.stderr)) continue;
    const lock = gitDir === undefined ? undefined : lockNamedIn(result.stderr);
    if (lock === undefined || !(await removeStaleLock(lock, gitDir!, ourHome))) return result;
  }
}

/** Collecting garbage removes a folder of objects that has become empty, also in the moment before another git writes into it. */
const lostItsFolder = /unable to create temporary file: No such file or directory/;

const lockNamedIn = (stderr: string): string | undefined =>
  /Unable to create '([^'\n]+\.lock)': File exists/.exec(stderr)?.[1];

/**
 * @param path as git named it; what an ssh server prints stands in the same text, so it counts only inside of `gitDir`
 * @returns whether the lock is gone
 */
export async function removeStaleLock(path: string, gitDir: string, ourHome: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return true;
  const inside = relative(await realpath(gitDir), await realpath(dirname(path)));
  if (!found.isFile() || inside.startsWith('..') || inside.startsWith('/')) return false;
  if (await mayBeHeld(found.mtimeMs, ourHome)) return false;
  // The same file still: another process may have done all this, and gone on to a lock of its own.
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now !== undefined && (now.ino !== found.ino || now.mtimeMs !== found.mtimeMs)) return false;
  rmSync(path, { force: true });
  return true;
}

/** The clock of `btime` counts whole seconds. */
const toleranceMs = 2_000;
const ticksPerSecond = 100;

/** Whether a git of ours, or of a command that we ran, lives that was there at the time. Unknown counts as yes. */
async function mayBeHeld(madeAtMs: number, ourHome: string): Promise<boolean> {
  const bootedAt = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8').catch(() => ''))?.[1];
  if (bootedAt === undefined) return true;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const held = await Promise.all(pids.map(async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (!/^\d+ \(git/.test(stat)) return false;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startedMs = (Number(bootedAt) + Number(fields[19]) / ticksPerSecond) * 1_000;
    if (fields[0] === 'Z' || startedMs > madeAtMs + toleranceMs) return false;
    // Gone meanwhile, or another user's, who cannot write here.
    const environment = (await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')).split('\0');
    return environment.some((entry) => entry === `HOME=${ourHome}` || entry.startsWith('MISSION_CONTROL_RUN='));
  }));
  return held.includes(true);
}
