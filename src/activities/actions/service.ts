/** Services taken down and brought up: stop, start, restart one instance, start spares. */
import { z } from 'zod';
import type { ServiceInstance } from '../../domain/subsystem.ts';
import type { ProcessIdentity } from '../../processes.mjs';
import { defineAction, drift, refused, type ActionTools } from './action.ts';
import { spend, spendStart } from './service/budget.ts';
import { findInstance, identityText, namedByPidFile } from './service/instance.ts';
import { isReady, refuseAnother, refuseTooFew } from './service/readiness.ts';
import { chosen, serviceNamed, type Service } from './service/service.ts';
import { startInstance } from './service/starting.ts';
import { stopInstance, type Stopped } from './service/stopping.ts';
import { commandUnit, unitOf, unitReady, unitStatus } from './service/unit.ts';

const id = z.string().min(1).max(100);
/** `instance: null`: every instance that is meant to run, or a service that another manager runs as a whole. */
const target = { service: id, instance: id.nullable().default(null) };
/** As `service.status` gives it; another process at that time is drift. Null: whichever it is. */
const identity = z.string().min(1).max(2_000).nullable().default(null);

const idsOf = (instance: string | null): string[] | null => (instance === null ? null : [instance]);

/** The process behind an instance. @throws FOREIGN_PROCESS when the pid file names something else */
async function processOf(instance: ServiceInstance) {
  const found = await findInstance(instance);
  if (found.kind === 'foreign') throw refused('FOREIGN_PROCESS', found.reason);
  return found.kind === 'running' ? found : undefined;
}

/** Instances to stop: also spares that run, when all are meant. */
const toStop = (service: Service, instance: string | null): ServiceInstance[] =>
  (instance === null && service.resource.manager.kind === 'process' ? service.resource.manager.instances : chosen(service, idsOf(instance)));

/** Drain, SIGTERM, deadline, SIGKILL, one after the other. What runs again at a second try is stopped again. */
const stop = defineAction({
  input: z.strictObject({ ...target, identity }),
  async guard(input, tools) {
    const service = await serviceNamed(tools, input.service);
    if (input.identity !== null && input.instance === null && unitOf(service) === undefined) throw refused('STEP_INVALID', `${service.id} has several instances: the process of which one?`);
    if (unitOf(service)?.kind === 'http') throw refused('NOT_SUPPORTED', `${service.id} can be restarted by its hook, not stopped`);
    for (const instance of toStop(service, input.instance)) {
      const running = await processOf(instance);
      if (running !== undefined && input.instance !== null) refuseAnother(instance, running.process, input.identity);
    }
    await refuseAnotherUnit(service, input.identity);
  },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const service = await serviceNamed(tools, input.service);
    const unit = unitOf(service);
    if (unit !== undefined) {
      if ((await unitStatus(service, unit)).state !== 'stopped') {
        await spend(service, null, 'stop');
        await commandUnit(service, unit, 'stop', tools.key);
      }
      return { stopped: [] };
    }
    const running: { instance: ServiceInstance; process: ProcessIdentity }[] = [];
    for (const instance of toStop(service, input.instance)) {
      const found = await processOf(instance);
      if (found !== undefined) running.push({ instance, process: found.process });
    }
    // A spare goes back to waiting; everything else will have to be started again, and that is what is counted. All or none.
    for (const { instance } of running.filter((one) => !one.instance.spare)) await spend(service, instance.id, 'stop');
    const stopped: ({ instance: string; identity: string } & Stopped)[] = [];
    for (const { instance, process } of running) {
      stopped.push({ instance: instance.id, identity: identityText(process), ...await stopInstance(service, instance, process) });
    }
    return { stopped };
  },
});

/** Starts what does not run and waits until it is ready. */
const start = defineAction({
  input: z.strictObject(target),
  async guard(input, tools) {
    for (const instance of chosen(await serviceNamed(tools, input.service), idsOf(input.instance))) await processOf(instance);
  },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const service = await serviceNamed(tools, input.service);
    const unit = unitOf(service);
    if (unit !== undefined) {
      if ((await unitStatus(service, unit)).state === 'stopped') {
        await spendStart(service, null);
        await commandUnit(service, unit, 'start', tools.key);
      }
      return { instances: [{ instance: null, identity: (await unitReady(service, unit, null)).identity }] };
    }
    const instances: { instance: string; identity: string }[] = [];
    for (const instance of chosen(service, idsOf(input.instance))) {
      if (await processOf(instance) === undefined) await spendStart(service, instance.id);
      instances.push({ instance: instance.id, identity: identityText((await startInstance(service, instance, tools.key)).process) });
    }
    return { instances };
  },
});

/**
 * One instance down and up again, ready before this returns; others go on. A second try finds the new process by the key
 * of this effect in its environment, and goes on where the first one ended.
 */
const restart = defineAction({
  input: z.strictObject({ ...target, identity }),
  async guard(input, tools) {
    const service = await serviceNamed(tools, input.service);
    if (unitOf(service) !== undefined) {
      chosen(service, idsOf(input.instance));
      if (service.resource.min_healthy > 0) throw refused('MIN_HEALTHY', `${service.id} can only be restarted as a whole, and ${service.resource.min_healthy} must stay ready`);
      return refuseAnotherUnit(service, input.identity);
    }
    const instance = oneOf(service, input.instance);
    const running = await processOf(instance);
    if (running === undefined || running.effect === tools.key) return;
    refuseAnother(instance, running.process, input.identity);
    await refuseTooFew(service, instance);
  },
  async before(input, tools): Promise<{ identity: string | null }> {
    const service = await serviceNamed(tools, input.service);
    const unit = unitOf(service);
    if (unit !== undefined) return { identity: (await unitStatus(service, unit)).identity };
    const running = await processOf(oneOf(service, input.instance));
    return { identity: running === undefined ? null : identityText(running.process) };
  },
  async done(input, before, tools) {
    const service = await serviceNamed(tools, input.service);
    const was = identityBefore(before);
    const unit = unitOf(service);
    if (unit !== undefined) {
      const { identity, state, ready } = await unitStatus(service, unit);
      return was !== null && state === 'running' && ready && identity !== was ? { instance: null, was, identity, drained: null, killed: null } : undefined;
    }
    const instance = oneOf(service, input.instance);
    const running = await processOf(instance);
    if (running?.effect !== tools.key || !await isReady(service, instance)) return undefined;
    // The try that started it died before it wrote the pid file: the next one does that.
    if ((await namedByPidFile(instance)).kind !== 'running') return undefined;
    return { instance: instance.id, was, identity: identityText(running.process), drained: null, killed: null };
  },
  async act(input, before, tools) {
    const service = await serviceNamed(tools, input.service);
    const was = identityBefore(before);
    const unit = unitOf(service);
    if (unit !== undefined) {
      await spend(service, null, 'restart');
      await commandUnit(service, unit, 'restart', tools.key);
      return { instance: null, was, identity: (await unitReady(service, unit, was)).identity, drained: null, killed: null };
    }
    const instance = oneOf(service, input.instance);
    await spend(service, instance.id, 'restart');
    const running = await processOf(instance);
    const stopped = running !== undefined && identityText(running.process) === was ? await stopInstance(service, instance, running.process) : null;
    const { process } = await startInstance(service, instance, tools.key);
    return { instance: instance.id, was, identity: identityText(process), drained: stopped?.drained ?? null, killed: stopped?.killed ?? null };
  },
});

/** What was noted before the first try is ours, but it came back as plain JSON. */
const identityBefore = (before: unknown): string | null => (before as { identity: string | null }).identity;

function oneOf(service: Service, instance: string | null): ServiceInstance {
  if (instance === null) throw refused('STEP_INVALID', `${service.id} has several instances: which one?`);
  return chosen(service, [instance])[0]!;
}

async function refuseAnotherUnit(service: Service, expected: string | null): Promise<void> {
  const unit = unitOf(service);
  if (unit === undefined || expected === null) return;
  const { identity } = await unitStatus(service, unit);
  if (identity !== expected) throw drift(`${service.id} is ${identity ?? 'unknown'} now, ${expected} when it was planned`);
}

const spares = (service: Service, ids: readonly string[]): ServiceInstance[] => {
  if (unitOf(service) !== undefined) throw refused('NOT_SUPPORTED', `${service.id} is not run by us, it cannot be scaled`);
  const instances = chosen(service, ids);
  const other = instances.find((instance) => !instance.spare);
  if (other !== undefined) throw refused('NOT_A_SPARE', `${other.id} of ${service.id} is not declared as a spare`);
  return instances;
};

const scaling = z.strictObject({ service: id, instances: z.array(id).min(1).max(50) });

/** Spares that run already for another reason are not ours to count on, and not ours to stop afterwards. */
async function refuseInUse(instances: readonly ServiceInstance[], tools: ActionTools): Promise<void> {
  for (const instance of instances) {
    const running = await processOf(instance);
    if (running !== undefined && running.effect !== tools.key) throw drift(`the spare ${instance.id} runs already`);
  }
}

/** Starts spares. Undone by `service.scale_in`. */
const scale = defineAction({
  input: scaling,
  async guard(input, tools) { await refuseInUse(spares(await serviceNamed(tools, input.service), input.instances), tools); },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const service = await serviceNamed(tools, input.service);
    const started: { instance: string; identity: string }[] = [];
    for (const instance of spares(service, input.instances)) {
      started.push({ instance: instance.id, identity: identityText((await startInstance(service, instance, tools.key)).process) });
    }
    return { started };
  },
});

/** Stops spares; not a restart, so not counted as one. */
const scaleIn = defineAction({
  input: scaling,
  async guard(input, tools) { for (const instance of spares(await serviceNamed(tools, input.service), input.instances)) await processOf(instance); },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const service = await serviceNamed(tools, input.service);
    const stopped: string[] = [];
    for (const instance of spares(service, input.instances)) {
      const running = await processOf(instance);
      if (running === undefined) continue;
      await stopInstance(service, instance, running.process);
      stopped.push(instance.id);
    }
    return { stopped };
  },
});

export const serviceActions = {
  'service.stop': stop, 'service.start': start, 'service.restart': restart, 'service.scale': scale, 'service.scale_in': scaleIn,
};
