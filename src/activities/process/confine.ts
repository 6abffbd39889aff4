/** From a request and a level to what is started: the command behind what limits it and shuts it in. */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limitsOf, type Limits } from '../../domain/limits.ts';
import { isShutIn, reaches, type SandboxLevel, type SandboxPolicy } from '../../domain/sandbox.ts';
import { startScript } from '../../project.ts';
import type { GroupHierarchy } from './groups.ts';
import type { KeeperPlan } from './keeper.ts';
import type { RunRequest } from './runner.ts';
import { bwrapArgv, unshareArgv, type Shell } from './shut-in.ts';
import { viewOf } from './view.ts';

const mib = 1024 * 1024;

/** What this host has to confine a command with. */
export interface Means {
  level: SandboxLevel;
  tools: Tools;
  groups: GroupHierarchy | null;
}

/** Where programs are that confine others. Absolute: the PATH of a command may begin in its worktree. */
export interface Tools { bwrap: string | null; unshare: string | null; prlimit: string | null }

/** Folders of one run. */
export interface RunFolders { home: string; tmp: string; slashTmp: string; root: string }

export interface Confined {
  argv: string[];
  plan: NonNullable<KeeperPlan['confined']>;
  /** Whether the limit of processes holds somewhere. */
  holdsProcesses: boolean;
}

export async function confine(
  request: RunRequest & { sandbox: SandboxPolicy }, env: Record<string, string>, means: Means, folders: RunFolders, hidden: readonly string[], owner: string,
): Promise<Confined> {
  const { level } = means;
  const limits = limitsOf(request.limits, request.sandbox.maximum);
  const rlimits = reaches(level, 'prlimit') ? await rlimitArgv(limits, means) : [];
  const argv = ['/bin/sh', startScript, ...rlimits, '--', ...request.argv];
  const shell = isShutIn(level) ? await shellOf(request, env, folders, hidden) : null;
  const around = shell === null ? [] : level === 'bwrap' ? bwrapArgv(means.tools.bwrap!, shell) : await unshareArgv(means.tools.unshare!, shell);
  return {
    argv: [...around, ...argv],
    plan: { limits, folders: [request.cwd, folders.home, folders.tmp, folders.slashTmp], groups: means.groups, owner, shut_in: shell !== null },
    holdsProcesses: means.groups !== null || (process.getuid?.() !== 0 && reaches(level, 'prlimit')),
  };
}

async function shellOf(
  { cwd, network, sandbox, readable = [], writable = [] }: RunRequest & { sandbox: SandboxPolicy }, env: Record<string, string>, folders: RunFolders, hidden: readonly string[],
): Promise<Shell> {
  await Promise.all([folders.slashTmp, folders.root].map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
  const mounts = viewOf({
    cwd, network, env, hidden, home: folders.home, tmp: folders.tmp, slashTmp: folders.slashTmp,
    readable: [...sandbox.readable, ...readable], writable: [...await existing(sandbox.writable), ...writable],
  });
  return { mounts, cwd, network, root: folders.root };
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const there = await Promise.all(paths.map((path) => stat(path).then(() => true, () => false)));
  return paths.filter((_, i) => there[i]);
}

/** What each process may use. Memory and processes only where no control group counts them for the whole run. */
async function rlimitArgv(limits: Limits, { groups, level, tools }: Means): Promise<string[]> {
  const hard = await hardLimits();
  const atMost = (name: string, wanted: number): number => Math.min(wanted, hard.get(name) ?? Infinity);
  const files = atMost('Max open files', limits.open_files);
  const size = atMost('Max file size', limits.file_mib * mib);
  const cpu = atMost('Max cpu time', limits.cpu_seconds);
  // Counted by user: in a user namespace of its own the run is alone, elsewhere it shares with all that this user runs.
  const others = isShutIn(level) ? 0 : await threadsOfThisUser();
  return [
    tools.prlimit!, '--core=0', `--nofile=${files}:${files}`, `--fsize=${size}:${size}`,
    // The first signal can be answered, the second one not.
    `--cpu=${cpu}:${atMost('Max cpu time', limits.cpu_seconds + 5)}`,
    ...(groups === null ? [`--data=${atMost('Max data size', limits.memory_mib * mib)}`] : []),
    ...(groups === null && process.getuid?.() !== 0 ? [`--nproc=${atMost('Max processes', limits.processes + others)}`] : []),
  ];
}

/** Nobody but root can raise what was given to us. */
async function hardLimits(): Promise<Map<string, number>> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return new Map(text.split('\n').flatMap((line): [string, number][] => {
    const [name = '', , hard = ''] = line.split(/\s{2,}/);
    return /^\d+$/.test(hard) ? [[name, Number(hard)]] : [];
  }));
}

async function threadsOfThisUser(): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const counts = await Promise.all(pids.map(async (pid) => {
    const status = await readFile(join('/proc', pid, 'status'), 'utf8').catch(() => '');
    return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) === process.getuid!() ? Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 0) : 0;
  }));
  return counts.reduce((sum, count) => sum + count, 0);
}
