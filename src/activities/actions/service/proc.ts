/** What Linux tells about processes. Elsewhere nothing is known, and nothing is done to a process that nobody can identify. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { startedAt, type ProcessIdentity } from '../../../processes.mjs';

/** Clock ticks per second in `/proc/PID/stat`: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

const read = (path: string): Promise<string> => readFile(path, 'utf8');
const strings = (text: string): string[] => text.replace(/\0$/, '').split('\0');

/** @throws when the process is gone */
export const argvOf = async (pid: number): Promise<string[]> => strings(await read(`/proc/${pid}/cmdline`));

/** @throws when the process is gone or somebody else's */
export const workingFolderOf = (pid: number): Promise<string> => readlink(`/proc/${pid}/cwd`);

/** Empty when the process is gone or somebody else's. */
export async function environmentOf(pid: number): Promise<Map<string, string>> {
  const text = await read(`/proc/${pid}/environ`).catch(() => '');
  return new Map(strings(text).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** Milliseconds since the epoch. @throws when the kernel does not say */
export async function startTimeOf({ started }: ProcessIdentity): Promise<number> {
  const boot = Number(/^btime (\d+)$/m.exec(await read('/proc/stat'))?.[1]);
  const time = boot * 1_000 + Number(started) * 1_000 / ticksPerSecond;
  if (!Number.isFinite(time)) throw new Error('the start time of the process cannot be read');
  return time;
}

/** Parent and process group, from behind the command's name, which may hold anything. */
async function kinOf(pid: number): Promise<{ parent: number; group: number } | undefined> {
  const stat = await read(`/proc/${pid}/stat`).catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? undefined : { parent: Number(fields[1]), group: Number(fields[2]) };
}

async function everyPid(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

const identified = (pids: readonly number[]): ProcessIdentity[] => pids.flatMap((pid) => {
  const started = startedAt(pid);
  return started === undefined ? [] : [{ pid, started }];
});

/** Processes whose environment holds `name=value`, those whose parent does not first. */
export async function processesWith(name: string, value: string): Promise<ProcessIdentity[]> {
  const marked = (await Promise.all((await everyPid()).map(async (pid) =>
    ((await environmentOf(pid)).get(name) === value ? [{ pid, parent: (await kinOf(pid))?.parent }] : [])))).flat();
  const isChild = ({ parent }: { parent: number | undefined }): boolean => marked.some(({ pid }) => pid === parent);
  return identified(marked.sort((a, b) => Number(isChild(a)) - Number(isChild(b))).map(({ pid }) => pid));
}

/** Everything in the group that the process leads, itself not counted; nothing when it leads none. */
export async function groupOf(leader: number): Promise<ProcessIdentity[]> {
  if ((await kinOf(leader))?.group !== leader) return [];
  const members = await Promise.all((await everyPid()).map(async (pid) =>
    (pid !== leader && (await kinOf(pid))?.group === leader ? [pid] : [])));
  return identified(members.flat());
}

/** Whether the process has a handler of its own for the signal: without one, SIGUSR2 ends it. */
export async function handles(pid: number, signalNumber: number): Promise<boolean> {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/im.exec(await read(`/proc/${pid}/status`))?.[1];
  if (caught === undefined) throw new Error(`the signals that process ${pid} handles cannot be read`);
  return (BigInt(`0x${caught}`) & (1n << BigInt(signalNumber - 1))) !== 0n;
}

export interface ProcessMemory { rss_bytes: number; pss_bytes: number | null }

/** Resident memory; PSS, where the kernel tells it, counts shared pages once. @throws when the process is gone */
export async function memoryOf(pid: number): Promise<ProcessMemory> {
  const kilobytes = (text: string, name: string): number | null => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    return found === undefined ? null : Number(found) * 1_024;
  };
  const rss = kilobytes(await read(`/proc/${pid}/status`), 'VmRSS');
  if (rss === null) throw new Error(`the memory of process ${pid} cannot be read`);
  return { rss_bytes: rss, pss_bytes: kilobytes(await read(`/proc/${pid}/smaps_rollup`).catch(() => ''), 'Pss') };
}
