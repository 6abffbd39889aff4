/** The registry: every probe and every action that a playbook may name. */
import type { z } from 'zod';
import { commandActions, commandProbes } from './command.ts';
import { latencyProbes } from './latency.ts';
import { postgresActions, postgresProbes } from './postgres.ts';
import { packageActions, packageProbes } from './packages.ts';
import { serviceActions } from './service.ts';
import { serviceMemoryActions } from './service-memory.ts';
import { serviceProbes } from './service-probes.ts';
import { sqlActions } from './sql.ts';
import { sqliteLockActions } from './sqlite-locks.ts';
import { sqliteProbes } from './sqlite-probes.ts';
import { sqliteRepairActions } from './sqlite-repair.ts';

export const probes = {
  ...commandProbes,
  ...packageProbes,
  ...serviceProbes,
  ...postgresProbes,
  ...latencyProbes,
  ...sqliteProbes,
};

export const actions = {
  ...commandActions,
  ...packageActions,
  ...serviceActions,
  ...serviceMemoryActions,
  ...postgresActions,
  ...sqlActions,
  ...sqliteLockActions,
  ...sqliteRepairActions,
};

export type ProbeName = keyof typeof probes;
export type ActionName = keyof typeof actions;
type AnyProbe = { input: z.ZodType; look: (...all: never[]) => Promise<unknown> };
export type ProbeInput<N extends ProbeName> = (typeof probes)[N] extends AnyProbe ? z.input<(typeof probes)[N]['input']> : never;
export type ProbeResult<N extends ProbeName> = (typeof probes)[N] extends AnyProbe ? Awaited<ReturnType<(typeof probes)[N]['look']>> : never;
export type ActionInput<N extends ActionName> = z.input<(typeof actions)[N]['input']>;
