/** Services that somebody else's manager runs as a whole: systemd, Docker Compose, or hooks over HTTP. */
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { ServiceManager } from '../../../domain/subsystem.ts';
import { refused } from '../action.ts';
import { fetchText, postJson } from '../../egress.ts';
import { egressOf, refuseForbidden, type Service } from './service.ts';

type UnitManager = Exclude<ServiceManager, { kind: 'process' }>;

export type UnitStatus = {
  state: 'running' | 'stopped' | 'unknown';
  /** Another one after each start; null when the manager does not tell. */
  identity: string | null;
  pid: number | null;
  ready: boolean;
  reason: string | null;
};

const unknown = (reason: string): UnitStatus => ({ state: 'unknown', identity: null, pid: null, ready: false, reason });
const lookEveryMs = 250;
const askSeconds = 10;
/** Where the managers' command line tools find their daemons. */
const daemonVariables = ['HOME', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'];

export const unitOf = ({ resource }: Service): UnitManager | undefined =>
  (resource.manager.kind === 'process' ? undefined : resource.manager);

export async function unitStatus(service: Service, unit: UnitManager): Promise<UnitStatus> {
  switch (unit.kind) {
    case 'systemd': return systemdStatus(await run(service, systemctl('show', '--property=LoadState,ActiveState,MainPID,InvocationID', '--', unit.unit), askSeconds));
    case 'docker_compose': return composeStatus(service, unit);
    case 'http': return hookStatus(service, unit.status_url);
  }
}

const systemctl = (...args: string[]): string[] => ['systemctl', '--no-ask-password', '--no-pager', ...args];
const compose = (file: string, ...args: string[]): string[] => ['docker', 'compose', '-f', file, ...args];

function systemdStatus(text: string): UnitStatus {
  const property = new Map(text.trim().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  if (property.get('LoadState') !== 'loaded') return unknown(`the unit is ${property.get('LoadState') ?? 'of an unknown state'}`);
  const active = property.get('ActiveState') ?? '';
  const state = active === 'active' || active === 'reloading' ? 'running' : active === 'inactive' || active === 'failed' ? 'stopped' : 'unknown';
  const pid = Number(property.get('MainPID'));
  return {
    state, identity: property.get('InvocationID') || null, pid: Number.isSafeInteger(pid) && pid > 0 ? pid : null,
    ready: state === 'running', reason: state === 'running' ? null : `the unit is ${active}`,
  };
}

const containerSchema = z.object({
  Running: z.boolean(), Pid: z.number(), StartedAt: z.string(), Health: z.object({ Status: z.string() }).nullish(),
});

async function composeStatus(service: Service, { file, service: name }: { file: string; service: string }): Promise<UnitStatus> {
  const ids = (await run(service, compose(file, 'ps', '--all', '--quiet', name), askSeconds)).split('\n').filter((id) => /^[0-9a-f]+$/.test(id)).sort();
  if (ids.length === 0) return { ...unknown('there is no container of it'), state: 'stopped' };
  const text = await run(service, ['docker', 'inspect', '--format', '{{json .State}}', ...ids], askSeconds);
  const states = text.trim().split('\n').map((line) => containerSchema.parse(JSON.parse(line)));
  if (states.length !== ids.length) return unknown(`${states.length} of ${ids.length} containers could be asked`);
  const running = states.filter((state) => state.Running);
  const well = running.filter(({ Health }) => Health === undefined || Health === null || Health.Status === 'healthy');
  return {
    state: running.length === 0 ? 'stopped' : 'running',
    identity: ids.map((id, i) => `${id.slice(0, 12)}@${states[i]!.StartedAt}`).join(' '), pid: states.length === 1 && running.length === 1 ? states[0]!.Pid : null,
    ready: well.length === states.length, reason: well.length === states.length ? null : `${well.length} of ${states.length} containers are well`,
  };
}

/** What a status hook may tell besides answering 200. */
const hookSchema = z.object({ identity: z.string().max(500).nullish() });

async function hookStatus(service: Service, url: string): Promise<UnitStatus> {
  try {
    const body = await fetchText(url, await egressOf(service));
    const told = hookSchema.safeParse(jsonOrNothing(body));
    return { state: 'running', identity: told.success ? told.data.identity ?? null : null, pid: null, ready: true, reason: null };
  } catch (error) {
    refuseForbidden(error);
    // Not answering is all we see: nobody knows whether it runs.
    return unknown((error as Error).message.split('\n')[0]!.slice(0, 300));
  }
}

function jsonOrNothing(text: string): unknown {
  try { return JSON.parse(text); } catch { return undefined; }
}

/**
 * Tells the manager what to do. It waits for it where the manager does; `unitReady` waits for the rest.
 * @param effect key of this effect: a hook that gets the same one twice must act once
 * @throws MANAGER_FAILED with the manager's exit code, NOT_SUPPORTED
 */
export async function commandUnit(service: Service, unit: UnitManager, verb: 'start' | 'stop' | 'restart', effect: string): Promise<void> {
  const { stop_timeout_seconds: stop, ready_timeout_seconds: ready } = service.resource;
  const seconds = stop + ready + askSeconds;
  switch (unit.kind) {
    case 'systemd': await run(service, systemctl(verb, '--', unit.unit), seconds); return;
    case 'docker_compose': {
      const deadline = verb === 'start' ? [] : ['--timeout', String(Math.ceil(stop))];
      await run(service, compose(unit.file, verb, ...deadline, unit.service), seconds);
      return;
    }
    case 'http': {
      if (verb !== 'restart') throw refused('NOT_SUPPORTED', `${service.id} can be restarted by its hook, not ${verb === 'start' ? 'started' : 'stopped'}`);
      try {
        await postJson(unit.restart_url, await egressOf(service), JSON.stringify({ key: effect }), {});
      } catch (error) {
        refuseForbidden(error);
        throw refused('MANAGER_FAILED', `the restart hook of ${service.id} ${(error as Error).message}`);
      }
    }
  }
}

/**
 * Its status once it is ready, and another one than before where the manager can tell.
 * @throws NOT_READY when its time is over
 */
export async function unitReady(service: Service, unit: UnitManager, before: string | null): Promise<UnitStatus> {
  const end = performance.now() + service.resource.ready_timeout_seconds * 1_000;
  for (;;) {
    const status = await unitStatus(service, unit);
    if (status.state === 'running' && status.ready && (before === null || status.identity !== before)) return status;
    if (performance.now() > end) throw refused('NOT_READY', `${service.id} was not ready within ${service.resource.ready_timeout_seconds} s: ${status.reason ?? 'it is still the old one'}`);
    await pause(lookEveryMs, undefined, { signal: service.tools.signal });
  }
}

/** @throws MANAGER_FAILED */
async function run({ tools }: Service, argv: string[], timeoutSeconds: number): Promise<string> {
  const env = Object.fromEntries(daemonVariables.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  }));
  const result = await tools.deps.processes.run({
    argv, cwd: tools.deps.config.home, marker: tools.key, timeout_seconds: timeoutSeconds, network: true, env, signal: tools.signal,
  });
  await rm(result.output_file, { force: true });
  if (result.timed_out) throw refused('MANAGER_FAILED', `${argv.join(' ')} ran into its time limit`);
  if (result.exit_code !== 0) throw refused('MANAGER_FAILED', `${argv.join(' ')} ended with exit code ${result.exit_code}`);
  return result.stdout;
}
