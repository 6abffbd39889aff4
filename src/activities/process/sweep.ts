/** Finds again what a run left behind, by the marker in its environment. */
import { readdir, readFile } from 'node:fs/promises';
import { failure } from '../../engine/failure.ts';
import { markerName } from './environment.ts';

/** Processes whose environment carries the marker (Linux: /proc; elsewhere the process group is all we can promise). */
async function marked(marker: string): Promise<number[]> {
  const wanted = `${markerName}=${marker}`;
  const entries = await readdir('/proc').catch(() => []);
  const found = await Promise.all(entries.filter((name) => /^\d+$/.test(name)).map(async (pid) => {
    const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    return environ.split('\0').includes(wanted) ? Number(pid) : null;
  }));
  return found.filter((pid) => pid !== null && pid !== process.pid) as number[];
}

/** Kills every process that carries the marker; waits until they are gone. @returns how many */
export async function sweepMarked(marker: string): Promise<number> {
  let killed = 0;
  for (let round = 0; round < 50; round += 1) {
    const pids = await marked(marker);
    if (pids.length === 0) return killed;
    for (const pid of pids) {
      try { process.kill(pid, 'SIGKILL'); killed += 1; } catch { /* gone by itself */ }
    }
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  throw failure('INTERNAL', `processes of ${marker} survive SIGKILL`);
}
