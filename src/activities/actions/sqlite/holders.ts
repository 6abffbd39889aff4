/** Which processes hold a lock on a database or have it open, as far as this host tells (Linux). */
import { readdir, readFile, stat } from 'node:fs/promises';
import { locksOn, rolesOf, type FileId, type LockHolder, type LockRole } from '../../../domain/sqlite.ts';
import { startedAt } from '../../../processes.mjs';
import { refused } from '../action.ts';

/** @throws LOCKS_UNREADABLE where there is no `/proc/locks`: no answer is not "nobody" */
export async function lockHolders(path: string): Promise<LockHolder[]> {
  const table = await readFile('/proc/locks', 'utf8').catch(() => { throw refused('LOCKS_UNREADABLE', 'this host does not tell who holds locks'); });
  const held = new Map<number, Set<LockRole>>();
  for (const file of ['database', 'shm'] as const) {
    const id = await fileId(file === 'database' ? path : `${path}-shm`);
    if (id === undefined) continue;
    for (const lock of locksOn(table, id)) {
      const roles = held.get(lock.pid) ?? new Set();
      for (const role of rolesOf(file, lock)) roles.add(role);
      held.set(lock.pid, roles);
    }
  }
  const holders = [...held].filter(([, roles]) => roles.size > 0)
    .map(async ([pid, roles]) => ({ ...await describeProcess(pid), roles: [...roles].sort() }));
  return Promise.all(holders);
}

/** Device and inode as the kernel writes them: `stat` packs the device's numbers into one. */
async function fileId(path: string): Promise<FileId | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined) return undefined;
  const { dev, ino } = found;
  return { major: Number((dev >> 8n) & 0xfffn), minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n)), inode: String(ino) };
}

/** Pid 0 or below: a process of another namespace, or a lock that belongs to no process. */
export async function describeProcess(pid: number): Promise<Omit<LockHolder, 'roles'>> {
  if (pid <= 0) return { pid: null, started: null, executable: null, argv: [] };
  const started = startedAt(pid) ?? null;
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const argv = line.replace(/\0$/, '').split('\0');
  return { pid, started, executable: argv[0] || null, argv: masked(argv) };
}

/** For people to read; a command line may hold what nobody should. */
function masked(argv: readonly string[]): string[] {
  return argv.slice(0, 20).map((argument, index) => {
    if (/^--?[\w-]*(?:pass|secret|token|key|credential)[\w-]*$/i.test(argv[index - 1] ?? '')) return '***';
    return argument.slice(0, 300).replace(/(:\/\/[^/@\s:]*):[^@\s]*@/g, '$1:***@').replace(/((?:pass|secret|token|key|credential)[\w-]*=).*/is, '$1***');
  });
}

/** Whether the process has a handler for the signal; without one, most signals kill. */
export async function handlesSignal(pid: number, number: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> BigInt(number - 1)) & 1n) === 1n;
}

export type Openers = {
  pids: number[];
  /** False when some processes' files are not ours to see. */
  complete: boolean;
};

/** How long a process may have the file open only to look at it: the probes of ours that watch it do, at every interval. */
const passingMs = 5_000;

/** Processes that have the file open and keep it open. */
export async function openersThatStay(path: string): Promise<Openers> {
  const until = Date.now() + passingMs;
  for (;;) {
    const openers = await openersOf(path);
    if (openers.pids.length === 0 || Date.now() > until) return openers;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

/** Processes with a descriptor of the database or of what lies beside it. An opener need not hold a lock. */
export async function openersOf(path: string): Promise<Openers> {
  const parts = (await Promise.all([path, `${path}-wal`, `${path}-shm`, `${path}-journal`].map((file) => stat(file, { bigint: true }).catch(() => undefined))))
    .filter((found) => found !== undefined).map(({ dev, ino }) => `${dev}:${ino}`);
  const pids = (await readdir('/proc').catch(() => { throw refused('LOCKS_UNREADABLE', 'this host does not tell who has files open'); }))
    .filter((name) => /^\d+$/.test(name));
  let complete = true;
  const open: number[] = [];
  for (const pid of pids) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') complete = false;
      return [];
    });
    for (const descriptor of descriptors) {
      const found = await stat(`/proc/${pid}/fd/${descriptor}`, { bigint: true }).catch(() => undefined);
      if (found === undefined || !parts.includes(`${found.dev}:${found.ino}`)) continue;
      open.push(Number(pid));
      break;
    }
  }
  return { pids: open, complete };
}
