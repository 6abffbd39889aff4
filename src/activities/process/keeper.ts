/**
 * The keeper: a small process between us and a command. It holds the command's process group and ends it
 * - when its standard input closes, which is what the kernel does to it when the worker dies, however it dies;
 * - when it reads a line `stop` (SIGTERM, then SIGKILL after the grace time);
 * - when the time limit is over;
 * - when the run comes up against one of its limits.
 * It reports `{exit_code, signal, timed_out, duration_ms, …}` as one JSON line on file descriptor 3.
 *
 * usage: keeper <plan as JSON> <argv…>
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, writeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { LimitHit, Limits } from '../../domain/limits.ts';
import { groupOf } from '../../processes.mjs';
import { joinScript } from '../../project.ts';
import { watchDisk } from './disk-watch.ts';
import { openGroups, type GroupHierarchy, type RunGroups } from './groups.ts';

export interface KeeperPlan {
  timeout_ms: number;
  grace_ms: number;
  /** A repository's command: limited, and started by `start-command.sh`, which says so. */
  confined?: {
    limits: Limits;
    /** Folders whose content counts. */
    folders: string[];
    groups: GroupHierarchy | null;
    owner: string;
    /** The child of ours is not the command but what shuts it in: it is spared SIGTERM, and answers for the command's signal with 128 + n. */
    shut_in: boolean;
  } | undefined;
}

export interface KeeperReport {
  exit_code: number | null;
  signal: string | null;
  timed_out: boolean;
  duration_ms: number;
  spawn_error?: string;
  /** Of a confined command: whether it was there to start, and what kept it from starting otherwise. */
  start?: 'started' | 'missing' | 'failed';
  limit?: LimitHit | null;
  groups?: 'v2' | 'v1' | 'none';
  cpu_seconds?: number;
  peak_memory_mib?: number | null;
}

const plan = JSON.parse(process.argv[2]!) as KeeperPlan;
const argv = process.argv.slice(3);
const { confined } = plan;
const watchEveryMs = 200;
const drainMs = 500;
const started = performance.now();
let timedOut = false;
let ended = false;
let limit: LimitHit | null = null;

function report(result: Pick<KeeperReport, 'exit_code' | 'signal'> & Partial<KeeperReport>): void {
  const line = `${JSON.stringify({ timed_out: timedOut, duration_ms: Math.round(performance.now() - started), ...result })}\n`;
  // Nobody left to read it is no reason to fail.
  try { writeSync(3, line); } catch { /* the worker is gone */ }
}

const { MISSION_CONTROL_COMMAND_NODE_OPTIONS: nodeOptions, ...inherited } = process.env;
const env = nodeOptions === undefined ? inherited : { ...inherited, NODE_OPTIONS: nodeOptions };

// Repositories' tests take every core there is; the worker beside them must still be able to answer.
try { setPriority(5); } catch { /* not allowed here: then they share alike */ }

const groups = openedGroups();
// A group and a session of its own: one signal reaches everything the command started, and no terminal does.
const child = start();
let said = '';
const startPipe = child.stdio[3];
startPipe?.on('data', (chunk: Buffer) => { said += chunk.toString('utf8'); });
const startSaid = new Promise<void>((resolve) => { startPipe?.on('close', resolve).on('error', () => resolve()); });
if (confined !== undefined) watchLimits(confined);

/** A host that ran out of groups is one without: the report says which it was. */
function openedGroups(): RunGroups | null {
  if (!confined?.groups) return null;
  try { return openGroups(confined.groups, confined.owner, confined.limits); } catch { return null; }
}

function start(): ChildProcess {
  const [command, ...args] = groups === null ? argv : ['/bin/sh', joinScript, ...groups.joinFiles, '--', ...argv];
  try {
    return spawn(command!, args, { env, detached: true, stdio: ['ignore', 'inherit', 'inherit', ...(confined === undefined ? [] : ['pipe' as const])] });
  } catch (error) {
    // Some errors (ENOTDIR, ELOOP) are thrown, others emitted.
    return notStarted(error as NodeJS.ErrnoException);
  }
}

function notStarted(error: NodeJS.ErrnoException): never {
  report({ exit_code: null, signal: null, spawn_error: error.code ?? error.message });
  void groups?.close();
  process.exit(0);
}

function watchLimits({ limits, folders }: NonNullable<KeeperPlan['confined']>): void {
  const disk = watchDisk(folders, limits);
  const look = async (): Promise<void> => {
    limit ??= groups?.hit() ?? overCpu(limits) ?? await disk.look().catch(() => null);
    if (limit !== null) return stop();
    if (!ended) setTimeout(() => { void look(); }, watchEveryMs).unref();
  };
  setTimeout(() => { void look(); }, watchEveryMs).unref();
}

function overCpu(limits: Limits): LimitHit | null {
  const used = groups?.cpuSeconds() ?? 0;
  return used <= limits.cpu_seconds ? null
    : { limit: 'cpu_seconds', evidence: 'certain', detail: `cpu_seconds ${limits.cpu_seconds}: it used ${used.toFixed(1)} s` };
}

function signalGroup(signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try { process.kill(-child.pid, signal); } catch { /* the group is empty */ }
}

/** What shuts the command in would die of SIGTERM before the command has answered it. */
function askToEnd(): void {
  if (confined?.shut_in !== true || child.pid === undefined) return signalGroup('SIGTERM');
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const pid = Number(name);
    if (pid === child.pid || groupOf(pid) !== child.pid) continue;
    try { process.kill(pid, 'SIGTERM'); } catch { /* gone by itself */ }
  }
}

function stop(): void {
  if (ended) return;
  askToEnd();
  setTimeout(() => signalGroup('SIGKILL'), plan.grace_ms).unref();
}

function die(): void {
  signalGroup('SIGKILL');
  if (groups === null) process.exit(0);
  void groups.close().finally(() => process.exit(0));
}

/** What shuts a command in tells its signal as shells do. */
function asOfCommand(code: number | null, signal: NodeJS.Signals | null): { exit_code: number | null; signal: string | null } {
  const number = code === null || confined?.shut_in !== true ? 0 : code - 128;
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return name === undefined ? { exit_code: code, signal } : { exit_code: null, signal: name };
}

child.on('error', notStarted);
child.on('exit', (code, signal) => {
  ended = true;
  // What the command left running in its group dies with it.
  signalGroup('SIGKILL');
  void finish(asOfCommand(code, signal));
});

async function finish(result: Pick<KeeperReport, 'exit_code' | 'signal'>): Promise<void> {
  if (confined === undefined) {
    report(result);
    process.exit(0);
  }
  // Its end may be told before what it said.
  await Promise.race([startSaid, new Promise((resolve) => { setTimeout(resolve, drainMs); })]);
  limit ??= groups?.hit() ?? overCpu(confined.limits) ?? limitOfSignal(result.signal, confined.limits);
  const used = groups === null ? {} : { cpu_seconds: Math.round(groups.cpuSeconds() * 100) / 100, peak_memory_mib: groups.peakMemoryMib() };
  await groups?.close();
  report({ ...result, ...used, limit, groups: groups === null ? 'none' : confined.groups!.version, start: said.includes('started') ? 'started' : said.includes('missing') ? 'missing' : 'failed' });
  process.exit(0);
}

function limitOfSignal(signal: string | null, limits: Limits): LimitHit | null {
  if (signal === 'SIGXCPU') return { limit: 'cpu_seconds', evidence: 'certain', detail: `cpu_seconds ${limits.cpu_seconds}: SIGXCPU` };
  if (signal === 'SIGXFSZ') return { limit: 'file_mib', evidence: 'certain', detail: `file_mib ${limits.file_mib}: SIGXFSZ` };
  return null;
}

setTimeout(() => { timedOut = true; stop(); }, plan.timeout_ms).unref();

process.stdin.on('data', (chunk: Buffer) => { if (chunk.includes('stop')) stop(); });
process.stdin.on('end', die);
process.stdin.on('error', die);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, die);
