/** A heap snapshot of a running process, as evidence. It holds whatever the process held, secrets too: it never leaves the data directory. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, open, readdir, readlink, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from '../../../processes.mjs';
import { refused } from '../action.ts';
import { snapshotOption, writesSnapshots } from './memory.ts';
import { argvOf, environmentOf, memoryOf, workingFolderOf } from './proc.ts';

export type Snapshot = { file: string; size_bytes: number; sha256: string };

const lookEveryMs = 100;
const longestMs = 240_000;
/** Seen on Node 20 to 22: a snapshot is about twice the memory of what it shows. */
const sizePerMemory = 2;

/** @throws SIGNAL_NOT_HANDLED when SIGUSR2 would end the process instead, DISK_LOW */
export async function refuseSnapshot(target: ProcessIdentity): Promise<void> {
  if (!await writesSnapshots(target.pid)) throw refused('SIGNAL_NOT_HANDLED', `process ${target.pid} was not started with ${snapshotOption}, or does not handle the signal: it would end it`);
  const { bavail, bsize } = await statfs(await snapshotFolder(target.pid));
  if (bavail * bsize < (await memoryOf(target.pid)).rss_bytes * sizePerMemory) throw refused('DISK_LOW', 'there is not enough room for a heap snapshot');
}

/** Snapshots that the process wrote before. */
export async function snapshotsOf(target: ProcessIdentity): Promise<string[]> {
  const name = new RegExp(String.raw`^Heap\.\d{8}\.\d{6}\.${target.pid}\.\d+\.\d+\.heapsnapshot$`);
  return (await readdir(await snapshotFolder(target.pid))).filter((file) => name.test(file));
}

/**
 * Asks for a snapshot and moves it to `destination`. Safe to repeat: what an earlier try asked for is waited for, not asked for again.
 * @param earlier snapshots that were there before the first try
 */
export async function takeSnapshot(target: ProcessIdentity, earlier: readonly string[], destination: string, signal: AbortSignal): Promise<Snapshot> {
  const finished = await describe(destination);
  if (finished !== undefined) return finished;
  const folder = await snapshotFolder(target.pid);
  const fresh = async (): Promise<string | undefined> => (await snapshotsOf(target)).find((file) => !earlier.includes(file));
  if (await fresh() === undefined) process.kill(target.pid, 'SIGUSR2');
  for (const end = performance.now() + longestMs; performance.now() < end; await pause(lookEveryMs, undefined, { signal })) {
    if (!isAlive(target)) throw refused('SNAPSHOT_BROKEN', `process ${target.pid} ended while it wrote its heap snapshot`);
    const file = await fresh();
    if (file === undefined) continue;
    const path = join(folder, file);
    // A link may lead anywhere; what Node writes is a file.
    if (!(await lstat(path)).isFile()) throw refused('SNAPSHOT_BROKEN', `${file} is no file`);
    await chmod(path, 0o600);
    if (await hasOpen(target.pid, path) || !await isWhole(path)) continue;
    await mkdir(dirname(destination), { recursive: true, mode: 0o700 });
    await move(path, destination);
    return (await describe(destination))!;
  }
  throw refused('NO_SNAPSHOT', `process ${target.pid} wrote no heap snapshot within ${longestMs / 1_000} s`);
}

/** Where Node writes it. */
async function snapshotFolder(pid: number): Promise<string> {
  const options = [...await argvOf(pid), ...((await environmentOf(pid)).get('NODE_OPTIONS') ?? '').split(/\s+/)];
  const named = options.map((option) => /^--diagnostic-dir=(.+)$/.exec(option)?.[1]).find((folder) => folder !== undefined);
  return resolve(await workingFolderOf(pid), named ?? '.');
}

async function hasOpen(pid: number, path: string): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => '')));
  return targets.includes(path);
}

/** The last thing that is written is the end of the JSON text. */
async function isWhole(path: string): Promise<boolean> {
  const { size } = await stat(path);
  if (size === 0) return false;
  const file = await open(path, 'r');
  try {
    const end = Buffer.alloc(Math.min(size, 8));
    await file.read(end, 0, end.length, size - end.length);
    return end.toString('utf8').trimEnd().endsWith('}');
  } finally {
    await file.close();
  }
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    await copyFile(from, `${to}.part`);
    await chmod(`${to}.part`, 0o600);
    await rename(`${to}.part`, to);
    await rm(from);
  }
}

async function describe(path: string): Promise<Snapshot | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { file: path.slice(path.lastIndexOf('/') + 1), size_bytes: found.size, sha256: hash.digest('hex') };
}
