/** A killed worker leaves the git processes that it started running, and nobody holds them to their time limits any more. */
import { readdir, readFile } from 'node:fs/promises';
import { groupOf, isAlive } from '../processes.mjs';
import { ownerVariable } from './git.ts';

/**
 * Ends what processes that are gone left running: their fetches, checkouts and maintenance. A push goes on: its other
 * half works in somebody else's repository.
 * @param home the HOME of our git processes, which tells them from everybody else's
 * @returns how many were told to end
 */
export async function endOrphanedGit(home: string): Promise<number> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const ended = await Promise.all(pids.map(async (pid) => {
    const [environment, command] = await Promise.all(
      ['environ', 'cmdline'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')));
    const variables = environment!.split('\0');
    const owner = /^(\d+)@(\d+)$/.exec(variables.find((entry) => entry.startsWith(`${ownerVariable}=`))?.slice(ownerVariable.length + 1) ?? '');
    if (!variables.includes(`HOME=${home}`) || owner === null || isAlive({ pid: Number(owner[1]), started: owner[2]! })) return false;
    const group = Number(pid);
    // The leader speaks for its group: helpers end with it.
    if (groupOf(group) !== group || command!.split('\0').includes('push')) return false;
    // Gone in this moment.
    try { process.kill(-group, 'SIGTERM'); } catch { return false; }
    return true;
  }));
  return ended.filter(Boolean).length;
}
