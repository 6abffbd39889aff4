/**
 * Control groups of one run: memory, processes and CPU time of everything the command starts, counted and held by the
 * kernel. Where none can be made, rlimits hold each process alone. Synchronous: the keeper has nothing else to do.
 */
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LimitHit, Limits } from '../../domain/limits.ts';
import { startedAt } from '../../processes.mjs';

/** Folders in which a group may be made, by controller. */
export interface GroupHierarchy {
  version: 'v1' | 'v2';
  memory: string;
  pids: string;
  cpu: string;
}

export interface RunGroups {
  /** What a process writes its id to in order to join. */
  joinFiles: string[];
  cpuSeconds(): number;
  /** What the kernel refused or ended so far. */
  hit(): LimitHit | null;
  peakMemoryMib(): number | null;
  /** Ends everything in the groups and removes them. */
  close(): Promise<void>;
}

const mib = 1024 * 1024;
const namePrefix = 'mission-control-run-';

/** Where this process may make groups; null when nowhere. */
export function findHierarchy(mountinfo = readText('/proc/self/mountinfo'), own = readText('/proc/self/cgroup')): GroupHierarchy | null {
  const mounts = mountinfo.split('\n').map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [type = '', , options = ''] = right.split(' ');
    return { at: left.split(' ')[4] ?? '', root: left.split(' ')[3] ?? '/', type, options: options.split(',') };
  });
  const paths = new Map(own.split('\n').map((line) => line.split(':')).map(([, names = '', ...path]) => [names, path.join(':')]));
  const folder = (at: string, root: string, path: string): string => join(at, root !== '/' && path.startsWith(root) ? path.slice(root.length) : path);

  const v1 = (controller: string): string | undefined => {
    const mount = mounts.find((one) => one.type === 'cgroup' && one.options.includes(controller));
    const path = [...paths].find(([names]) => names.split(',').includes(controller))?.[1];
    return mount === undefined || path === undefined ? undefined : folder(mount.at, mount.root, path);
  };
  const [memory, pids, cpu] = [v1('memory'), v1('pids'), v1('cpuacct')];
  if (memory !== undefined && pids !== undefined && cpu !== undefined && [memory, pids, cpu].every(isUsable)) return { version: 'v1', memory, pids, cpu };

  const unified = mounts.find((one) => one.type === 'cgroup2');
  const path = paths.get('');
  if (unified === undefined || path === undefined) return null;
  // Our own group holds us, and one that holds processes hands no controllers down: then only its parent can.
  for (const place of [folder(unified.at, unified.root, path), join(folder(unified.at, unified.root, path), '..')]) {
    const handed = readText(join(place, 'cgroup.subtree_control')).split(/\s+/);
    if (place.startsWith(unified.at) && ['memory', 'pids'].every((name) => handed.includes(name)) && isUsable(place)) {
      return { version: 'v2', memory: place, pids: place, cpu: place };
    }
  }
  return null;
}

/** @param owner who makes them, in the name, so that what nobody owns any more is found */
export function openGroups(hierarchy: GroupHierarchy, owner: string, limits: Limits): RunGroups {
  const name = `${namePrefix}${owner}-${Date.now()}-${process.pid}`;
  const [memory, pids, cpu] = [hierarchy.memory, hierarchy.pids, hierarchy.cpu].map((folder) => join(folder, name)) as [string, string, string];
  const folders = [...new Set([memory, pids, cpu])];
  const bytes = String(limits.memory_mib * mib);
  const v2 = hierarchy.version === 'v2';
  try {
    for (const folder of folders) mkdirSync(folder);
    if (v2) {
      writeFileSync(join(memory, 'memory.max'), bytes);
      // Without swap accounting there is no such file.
      try { writeFileSync(join(memory, 'memory.swap.max'), '0'); } catch { /* then memory.max alone counts */ }
    } else {
      writeFileSync(join(memory, 'memory.limit_in_bytes'), bytes);
      try { writeFileSync(join(memory, 'memory.memsw.limit_in_bytes'), bytes); } catch { /* no swap accounting */ }
    }
    writeFileSync(join(pids, 'pids.max'), String(limits.processes));
  } catch (error) {
    removeFolders(folders);
    throw error;
  }
  const hit = (): LimitHit | null => {
    const killed = counted(v2 ? join(memory, 'memory.events') : join(memory, 'memory.oom_control'), 'oom_kill');
    if (killed > 0) {
      return { limit: 'memory_mib', evidence: 'certain', detail: `memory_mib ${limits.memory_mib}: the kernel ended ${killed} of its processes for want of memory` };
    }
    const refused = counted(join(pids, 'pids.events'), 'max');
    return refused === 0 ? null
      : { limit: 'processes', evidence: 'certain', detail: `processes ${limits.processes}: the kernel refused to start more` };
  };
  return {
    joinFiles: folders.map((folder) => join(folder, 'cgroup.procs')),
    cpuSeconds: () => (v2 ? counted(join(cpu, 'cpu.stat'), 'usage_usec') / 1e6 : Number(readText(join(cpu, 'cpuacct.usage'))) / 1e9),
    hit,
    peakMemoryMib: () => {
      const peak = Number(readText(join(memory, v2 ? 'memory.peak' : 'memory.max_usage_in_bytes')));
      return Number.isFinite(peak) && peak > 0 ? Math.round(peak / mib) : null;
    },
    close: () => emptyAndRemove(folders),
  };
}

/** Removes groups of this owner whose keeper is dead, with what still runs in them. */
export async function closeAbandoned(hierarchy: GroupHierarchy, owner: string): Promise<void> {
  const folders = [...new Set([hierarchy.memory, hierarchy.pids, hierarchy.cpu])].flatMap((folder) =>
    readdirSync(folder).filter((name) => name.startsWith(`${namePrefix}${owner}-`) && startedAt(Number(name.split('-').at(-1))) === undefined).map((name) => join(folder, name)));
  await emptyAndRemove(folders);
}

async function emptyAndRemove(folders: readonly string[]): Promise<void> {
  for (let round = 0; round < 200; round += 1) {
    for (const pid of new Set(folders.flatMap((folder) => readText(join(folder, 'cgroup.procs')).split('\n').filter((line) => line !== '').map(Number)))) {
      // 0: a process of another namespace, which is not ours.
      try { if (pid > 0) process.kill(pid, 'SIGKILL'); } catch { /* gone by itself */ }
    }
    if (removeFolders(folders)) return;
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

/** @returns whether all are gone; a group with a process in it cannot be removed */
function removeFolders(folders: readonly string[]): boolean {
  return folders.map((folder) => {
    try {
      rmdirSync(folder);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
  }).every(Boolean);
}

function isUsable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const counted = (path: string, name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(readText(path))?.[1] ?? 0);
