/** Probes that run something: a command of the declaration, or the manager of a service. */
import { readFile, rm } from 'node:fs/promises';
import type { Probe, ServiceInstance, ServiceManager, Subsystem } from '../../domain/subsystem.ts';
import type { EgressPolicy } from '../../domain/egress.ts';
import { startedAt } from '../../processes.mjs';
import type { ActivityDeps } from '../deps.ts';
import { fetchStatus, UrlForbidden } from '../egress.ts';
import { failing, reasonOf, unknown, well, type Found } from './reading.ts';

type Kind<K extends Probe['kind']> = Extract<Probe, { kind: K }>;
type Deps = Pick<ActivityDeps, 'processes' | 'config'>;

interface Ran { exit_code: number | null; timed_out: boolean; stdout: string }

async function run(deps: Deps, argv: readonly string[], marker: string, seconds: number): Promise<Ran> {
  const result = await deps.processes.run({ argv, cwd: deps.config.home, marker, timeout_seconds: seconds, network: true });
  await rm(result.output_file, { force: true });
  return result;
}

/** Exit code 0 is well. A command that is not there could not measure. */
export async function command(probe: Kind<'command'>, deps: Deps, marker: string): Promise<Found> {
  try {
    const { exit_code, timed_out } = await run(deps, probe.argv, marker, probe.timeout_seconds);
    if (timed_out) return failing(`${probe.argv[0]} did not end within ${probe.timeout_seconds} s`);
    return exit_code === 0 ? well() : failing(`${probe.argv[0]} ended with exit code ${exit_code}`);
  } catch (error) {
    return unknown(reasonOf(error));
  }
}

/** Every instance of the service that should run does. */
export async function service(probe: Kind<'process'>, subsystem: Subsystem, deps: Deps, egress: EgressPolicy, marker: string): Promise<Found> {
  const resource = subsystem.resources[probe.resource ?? ''];
  if (resource?.kind !== 'service') return unknown(`${probe.resource} is no service of this subsystem`);
  try {
    return await running(resource.manager, probe.timeout_seconds, deps, egress, marker);
  } catch (error) {
    return unknown(reasonOf(error));
  }
}

async function running(manager: ServiceManager, seconds: number, deps: Deps, egress: EgressPolicy, marker: string): Promise<Found> {
  switch (manager.kind) {
    case 'process': {
      const wanted = manager.instances.filter((instance) => !instance.spare);
      const gone = (await Promise.all(wanted.map(whyGone))).filter((reason) => reason !== null);
      return gone.length === 0 ? well(wanted.length) : failing(gone.join('; '), null, wanted.length - gone.length);
    }
    case 'systemd': {
      const { stdout, exit_code, timed_out } = await run(deps, ['systemctl', 'is-active', manager.unit], marker, seconds);
      if (timed_out) return unknown(`systemctl did not answer within ${seconds} s`);
      return exit_code === 0 ? well() : failing(`${manager.unit} is ${stdout.trim() || 'not active'}`);
    }
    case 'docker_compose': {
      const { stdout, exit_code, timed_out } = await run(deps, ['docker', 'compose', '-f', manager.file, 'ps', '--status', 'running', '-q', manager.service], marker, seconds);
      if (timed_out || exit_code !== 0) return unknown(timed_out ? `docker did not answer within ${seconds} s` : `docker compose ended with exit code ${exit_code}`);
      return stdout.trim() === '' ? failing(`no container of ${manager.service} runs`) : well();
    }
    case 'http': {
      try {
        const status = await fetchStatus(manager.status_url, egress, seconds * 1_000);
        return status === 200 ? well() : failing(`${manager.status_url} answered ${status}`);
      } catch (error) {
        return error instanceof UrlForbidden ? unknown(reasonOf(error)) : failing(reasonOf(error));
      }
    }
  }
}

/** @returns null when the instance is alive. @throws when its pid file is there and cannot be read */
async function whyGone({ id, pid_file }: ServiceInstance): Promise<string | null> {
  let text: string;
  try {
    text = await readFile(pid_file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return `${id} has no pid file`;
  }
  const pid = /^\s*(\d{1,10})\s*$/.exec(text)?.[1];
  if (pid === undefined) return `${id} has a pid file without a pid`;
  return startedAt(Number(pid)) === undefined ? `${id} (pid ${pid}) does not run` : null;
}
