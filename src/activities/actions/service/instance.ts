/**
 * Which process an instance is. A pid file alone proves nothing: the number in it may be anybody's by now. A process is the
 * instance when we started it, which its environment tells, or when it has the declared command line and working folder.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ServiceInstance } from '../../../domain/subsystem.ts';
import { startedAt, type ProcessIdentity } from '../../../processes.mjs';
import { argvOf, environmentOf, processesWith, startTimeOf, workingFolderOf } from './proc.ts';

/** In the environment of what we start: whose process it is, by its pid file, and the key of the effect that started it. */
export const instanceVariable = 'MISSION_CONTROL_INSTANCE';
export const effectVariable = 'MISSION_CONTROL_EFFECT';

export type Found =
  | { kind: 'running'; process: ProcessIdentity; effect: string | null }
  | { kind: 'stopped' }
  /** The pid file names a living process that is not the instance, as far as anybody can tell. */
  | { kind: 'foreign'; pid: number; reason: string };

/** Clocks that start times and file times are told by may differ by this much. */
const clockToleranceMs = 2_000;

/** @throws when the pid file cannot be read for another reason than not being there */
export async function findInstance(instance: ServiceInstance): Promise<Found> {
  const named = await namedByPidFile(instance);
  return named.kind === 'stopped' ? unnamed(instance) : named;
}

/** What the pid file says, and whether it is true. */
export async function namedByPidFile(instance: ServiceInstance): Promise<Found> {
  const file = await pidFile(instance.pid_file);
  const started = file === undefined ? undefined : startedAt(file.pid);
  if (file === undefined || started === undefined) return { kind: 'stopped' };
  const process = { pid: file.pid, started };
  const { pid } = process;
  const environment = await environmentOf(pid);
  const owner = environment.get(instanceVariable);
  if (owner === instance.pid_file || (owner === undefined && await hasCommandOf(instance, pid))) {
    return { kind: 'running', process, effect: environment.get(effectVariable) ?? null };
  }
  // Younger than the file that names it: the number was given to somebody else after the instance had died.
  if (await startTimeOf(process) > file.written_at + clockToleranceMs) return { kind: 'stopped' };
  return { kind: 'foreign', pid, reason: `${instance.pid_file} names process ${pid}, which is not ${instance.id}: it has another command line or working folder` };
}

/** Started by us, and the worker died before it could write the pid file. */
async function unnamed(instance: ServiceInstance): Promise<Found> {
  for (const process of await processesWith(instanceVariable, instance.pid_file)) {
    // Helpers that outlived the instance carry its mark too; they are not the instance.
    if (!await hasCommandOf(instance, process.pid)) continue;
    return { kind: 'running', process, effect: (await environmentOf(process.pid)).get(effectVariable) ?? null };
  }
  return { kind: 'stopped' };
}

/** Also true when an interpreter was put before a script that is declared by its path. */
async function hasCommandOf({ argv, cwd }: ServiceInstance, pid: number): Promise<boolean> {
  try {
    const actual = await argvOf(pid);
    const extra = actual.length - argv.length;
    if (extra < 0 || extra > (argv[0]!.startsWith('/') ? 2 : 0)) return false;
    const [program = '', ...rest] = actual.slice(extra);
    return basename(program) === basename(argv[0]!) && rest.every((argument, i) => argument === argv[i + 1]) && await workingFolderOf(pid) === cwd;
  } catch {
    return false; // gone, or not ours to see
  }
}

async function pidFile(path: string): Promise<{ pid: number; written_at: number } | undefined> {
  try {
    const { mtimeMs, size } = await stat(path);
    if (size > 64) return undefined;
    const pid = Number(/^\s*(\d{1,10})\s*$/.exec(await readFile(path, 'utf8'))?.[1]);
    return Number.isSafeInteger(pid) && pid > 0 ? { pid, written_at: mtimeMs } : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** As plans and results name a process. */
export const identityText = ({ pid, started }: ProcessIdentity): string => `${pid}@${started}`;
