/** Figures of a process on this host, named by its pid file (Linux). */
import { readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { ProcessFigure } from '../../domain/metric.ts';
import { identityOf, isAlive } from '../../processes.mjs';

/** USER_HZ: the same on every Linux that Node runs on, whatever the kernel's own tick is. */
const ticksPerSecond = 100;
const cpuReadingMs = 500;
/** A pid file is written after its process starts; the clock behind start times may be adjusted by a little. */
const clockSlackMs = 5_000;

/** @throws Error when there is no such process: one that is absent uses no memory, but that is not its figure */
export async function measureProcess(pidFile: string, figure: ProcessFigure): Promise<number> {
  const text = (await readFile(pidFile, 'utf8').catch(() => { throw new Error(`there is no pid file ${pidFile}`); })).trim().split(/\s/)[0]!;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`${pidFile} does not hold a pid`);
  const identity = identityOf(Number(text));
  if (!isAlive(identity)) throw new Error(`process ${text} of ${pidFile} is not running`);
  await refuseLater(pidFile, identity);
  const value = await read(identity.pid, figure);
  if (!isAlive(identity)) throw new Error(`process ${text} of ${pidFile} ended while it was measured`);
  return value;
}

/** A process that is younger than the file is somebody else's, with a pid that was given again. */
async function refuseLater(pidFile: string, { pid, started }: { pid: number; started: string }): Promise<void> {
  const boot = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1];
  const startedAt = Number(boot) * 1_000 + (Number(started) * 1_000) / ticksPerSecond;
  if (startedAt > (await stat(pidFile)).mtimeMs + clockSlackMs) {
    throw new Error(`process ${pid} started after ${pidFile} was written: the pid is another process's now`);
  }
}

async function read(pid: number, figure: ProcessFigure): Promise<number> {
  switch (figure) {
    case 'rss_bytes': return 1_024 * await fromStatus(pid, 'VmRSS');
    case 'threads': return fromStatus(pid, 'Threads');
    case 'open_fds': return (await readdir(`/proc/${pid}/fd`)).length;
    case 'cpu_percent': {
      const [before, since] = [await cpuTicks(pid), performance.now()];
      await setTimeout(cpuReadingMs);
      const seconds = (performance.now() - since) / 1_000;
      // Of one core: a process with many threads may use more than 100.
      return ((await cpuTicks(pid)) - before) / ticksPerSecond / seconds * 100;
    }
  }
}

async function fromStatus(pid: number, field: string): Promise<number> {
  const found = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (found === undefined) throw new Error(`process ${pid} has no ${field}`);
  return Number(found);
}

async function cpuTicks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name may hold spaces and parentheses; fields count from behind its last one. 14th and 15th: user and system time.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
