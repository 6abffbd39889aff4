/**
 * What playbooks may do and ask. A probe only looks. An action changes something, and says how it repeats: activities run
 * at least once, so a second try must find what the first one did.
 */
import type { z } from 'zod';
import type { Json } from '../../domain/healing.ts';
import type { Resource } from '../../domain/subsystem.ts';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityDeps } from '../deps.ts';

export interface ActionTools {
  deps: ActivityDeps;
  /** The declaration of the resource that the run is about, as it is now. */
  resource: Resource;
  /** Another resource of the same subsystem. @throws when there is none of that name */
  sibling(resourceId: string): Promise<Resource>;
  subsystem_id: string;
  resource_id: string;
  mission_id: string;
  /** Mission, attempt and step: the key of this effect. */
  key: string;
  signal: AbortSignal;
}

/** A question about the world. It changes nothing; a world that cannot be read is an error, never a good answer. */
export interface Probe<In extends z.ZodType, Out extends Json> {
  input: In;
  look(input: z.output<In>, tools: ActionTools): Promise<Out>;
}

/** One kind of effect. */
export interface Action<In extends z.ZodType, Out extends Json> {
  input: In;
  /**
   * Called right before the effect, on every try: throws `drift` when what the plan rests on is no longer so (another
   * process behind the pid, another file behind the path), or `refused` when it must not be done.
   */
  guard(input: z.output<In>, tools: ActionTools): Promise<void>;
  /** Noted before the first try: what a later try compares with. */
  before(input: z.output<In>, tools: ActionTools): Promise<Json>;
  /** The result, when an earlier try got through; undefined when the effect is not there yet. */
  done(input: z.output<In>, before: Json, tools: ActionTools): Promise<Out | undefined>;
  act(input: z.output<In>, before: Json, tools: ActionTools): Promise<Out>;
}

export const defineProbe = <In extends z.ZodType, Out extends Json>(probe: Probe<In, Out>): Probe<In, Out> => probe;
export const defineAction = <In extends z.ZodType, Out extends Json>(action: Action<In, Out>): Action<In, Out> => action;

/** The world is not what the plan says: nothing is done, and it is planned anew. */
export const drift = (reason: string): ApplicationFailure =>
  ApplicationFailure.create({ type: 'PLAN_DRIFT', message: reason, nonRetryable: true });

/** It must not be done at all, whatever the plan says. */
export const refused = (code: string, reason: string): ApplicationFailure =>
  ApplicationFailure.create({ type: code, message: reason, nonRetryable: true });

/** Narrows the run's resource. @throws drift when it is of another kind */
export function resourceOf<K extends Resource['kind']>(tools: Pick<ActionTools, 'resource' | 'resource_id'>, kind: K): Extract<Resource, { kind: K }> {
  if (tools.resource.kind !== kind) throw drift(`${tools.resource_id} is declared as ${tools.resource.kind}, not ${kind}`);
  return tools.resource as Extract<Resource, { kind: K }>;
}
