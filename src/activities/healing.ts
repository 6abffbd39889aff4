/** What playbooks look at and do: probes, and effects that a second try does not repeat. */
import type { Json, PlannedStep } from '../domain/healing.ts';
import { digestOf } from '../ledger/canonical.ts';
import { keep, once, stored } from '../store/effects.ts';
import { findResource } from '../store/subsystems.ts';
import { drift, refused, type Action, type ActionTools, type Probe } from './actions/action.ts';
import { actions, probes } from './actions/index.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { z } from 'zod';

export interface EffectTarget {
  mission_id: string;
  subsystem_id: string;
  resource_id: string;
}

export interface StepInput extends EffectTarget {
  /** Mission, attempt and step. */
  key: string;
  /** Digest of the resource's declaration that the plan rests on; null when something is undone, whatever is declared by now. */
  resource_digest: string | null;
  step: Pick<PlannedStep, 'action' | 'with'>;
}

export const healingActivities = (deps: ActivityDeps) => {
  async function toolsFor(target: EffectTarget, key: string, signal: AbortSignal): Promise<ActionTools> {
    const { subsystem_id, resource_id, mission_id } = target;
    const find = async (id: string) => {
      const resource = await findResource(deps.config.configFolder, subsystem_id, id);
      if (resource === undefined) throw drift(`${subsystem_id} declares no resource ${id}`);
      return resource;
    };
    return { deps, resource: await find(resource_id), sibling: find, subsystem_id, resource_id, mission_id, key, signal };
  }

  return {
    /** Looks once. @throws when it cannot look, or with an input that is not the probe's */
    async probe(input: EffectTarget & { name: string; input: Record<string, Json> }): Promise<Json> {
      const probe = entry(probes, input.name) as Probe<z.ZodType, Json>;
      return withHeartbeat(async (signal) => probe.look(probe.input.parse(input.input),
        await toolsFor(input, `${input.mission_id}:probe`, signal)));
    },

    /**
     * Does one step of a plan, once. A try that died in the middle is followed by one that first asks whether the effect is there.
     * @throws PLAN_DRIFT when the world is no longer what the plan says; the action's own refusals
     */
    async runStep(input: StepInput): Promise<Json> {
      const action = entry(actions, input.step.action) as Action<z.ZodType, Json>;
      const parsed = action.input.safeParse(input.step.with);
      if (!parsed.success) throw refused('STEP_INVALID', `${input.step.action}: ${parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')}`);
      return withHeartbeat(async (signal) => {
        const tools = await toolsFor(input, input.key, signal);
        if (input.resource_digest !== null && digestOf(tools.resource) !== input.resource_digest) throw drift(`the declaration of ${input.resource_id} changed`);
        const { query } = deps.database;
        const known = await stored<Json>(query, `${input.key}:result`);
        if (known !== undefined) return known.result;
        let first = false;
        const { before } = await once(query, `${input.key}:before`, async () => {
          await action.guard(parsed.data, tools);
          first = true;
          return { before: await action.before(parsed.data, tools) };
        });
        let result: Json | undefined;
        if (!first) {
          result = await action.done(parsed.data, before, tools);
          if (result === undefined) await action.guard(parsed.data, tools);
        }
        if (result === undefined) result = await action.act(parsed.data, before, tools);
        // The effect is there: a database that is away for a moment must not make another try of it.
        const done = result;
        return insist(() => keep(query, `${input.key}:result`, done), signal);
      });
    },
  };
};

/** Tries until it works, or the activity is cancelled. */
async function insist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 200); });
    }
  }
}

function entry(registry: Record<string, unknown>, name: string): unknown {
  if (!Object.hasOwn(registry, name)) throw refused('ACTION_UNKNOWN', `there is no ${name}`);
  return registry[name];
}
