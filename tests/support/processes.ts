/** What a test can know about processes: which carry a marker, which live, and when something they write is there. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { forkServerScript } from '../../src/project.ts';

/** Pids whose environment holds `NAME=value`. */
export const pidsWith = (variable: string): number[] => pidsWhere((entry) => entry === variable);

function pidsWhere(matches: (entry: string) => boolean): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').some(matches);
    } catch {
      return false;
    }
  });
}

/** Everything that a runner of ours, whichever it was, started for the marker and that still runs. */
export const running = (marker: string): number[] => pidsWhere((entry) => entry.startsWith(`MISSION_CONTROL_RUN=${marker}@`));

/** The same, of one system alone: others on this host count their missions alike. */
export function runningIn(home: string, marker: string): number[] {
  const system = createHash('sha256').update(resolve(home, 'scratch')).digest('hex').slice(0, 12);
  return pidsWith(`MISSION_CONTROL_RUN=${marker}@${system}`);
}

/** The fork servers that a process has, oldest first. */
export function forkServersOf(parent: number): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).sort((a, b) => a - b).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return state !== 'Z' && Number(ppid) === parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(forkServerScript);
    } catch {
      return false;
    }
  });
}

/** A zombie is dead: it holds nothing but its number. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Resolves once the process is gone. */
export async function whenGone(pid: number): Promise<void> {
  // The kernel tells only a parent; this is the closest thing to an event that a stranger gets.
  while (isAlive(pid)) await new Promise((resolve) => { setImmediate(resolve); });
}

/** The text of a file, once it holds a whole line. */
export function firstLine(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      let text = '';
      try {
        text = readFileSync(path, 'utf8');
      } catch { /* not there yet */ }
      if (!text.includes('\n')) return;
      watcher.close();
      resolve(text.slice(0, text.indexOf('\n')));
    };
    const watcher = watch(dirname(path), (_, name) => { if (name === null || name === basename(path)) look(); });
    watcher.on('error', reject);
    look();
  });
}
