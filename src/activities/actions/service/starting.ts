/** Starts an instance so that it outlives us: a session of its own, its output in a file, its pid file in place. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ServiceInstance } from '../../../domain/subsystem.ts';
import { refused } from '../action.ts';
import { effectVariable, findInstance, instanceVariable, namedByPidFile } from './instance.ts';
import { whenReady } from './readiness.ts';
import type { Service } from './service.ts';
import { endLeftovers } from './stopping.ts';

/** What a service sees of our environment. The rest, secrets above all, is not its business. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR', 'LANG', 'LC_ALL', 'TZ'];
const maxLogBytes = 10 * 1024 * 1024;

/**
 * Starts the instance unless it runs, and waits until it is ready. Safe to repeat: what an earlier try started is found.
 * @param effect key of this effect
 * @returns identity of the process, and whether it had to be started
 */
export async function startInstance(service: Service, instance: ServiceInstance, effect: string) {
  const found = await findInstance(instance);
  if (found.kind === 'foreign') throw refused('FOREIGN_PROCESS', `${found.reason}; nothing is started beside it`);
  if (found.kind === 'stopped') {
    await endLeftovers(service, instance);
    await launch(service, instance, effect);
  }
  const process = await whenReady(service, instance);
  // Found by its mark alone: the try that started it died before it wrote the file.
  if ((await namedByPidFile(instance)).kind === 'stopped') await writePidFile(instance.pid_file, process.pid);
  return { process, started: found.kind === 'stopped' };
}

async function launch({ tools, id }: Service, instance: ServiceInstance, effect: string): Promise<void> {
  const folder = join(tools.deps.config.home, 'services');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, `${tools.subsystem_id}.${id}.${instance.id}.log`);
  await turnOver(log);
  const output = await open(log, 'a', 0o600);
  try {
    const [command, ...args] = instance.argv;
    const child = spawn(command!, args, {
      cwd: instance.cwd, detached: true, stdio: ['ignore', output.fd, output.fd],
      env: { ...ours(), ...instance.env, [instanceVariable]: instance.pid_file, [effectVariable]: effect },
    });
    await once(child, 'spawn');
    child.unref();
    // A service that writes its own file may have been quicker; what it says counts.
    if ((await namedByPidFile(instance)).kind !== 'running') await writePidFile(instance.pid_file, child.pid!);
  } catch (error) {
    throw refused('START_FAILED', `${instance.id} cannot be started: ${(error as Error).message}`);
  } finally {
    await output.close();
  }
}

const ours = (): Record<string, string> => Object.fromEntries(inherited.flatMap((name) => {
  const value = process.env[name];
  return value === undefined ? [] : [[name, value]];
}));

/** Replaced by rename: nobody ever reads half a number. */
async function writePidFile(path: string, pid: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${pid}.new`;
  try {
    await writeFile(temporary, `${pid}\n`);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A log that grew large makes room for a new one; one old one is kept. */
async function turnOver(log: string): Promise<void> {
  const size = await stat(log).then((file) => file.size, () => 0);
  if (size > maxLogBytes) await rename(log, `${log}.1`);
}
