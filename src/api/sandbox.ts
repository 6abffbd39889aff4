/** Whether the host that runs commands gives what the policy wants, as far as its worker has told. */
import { reaches, sandboxLevels } from '../domain/sandbox.ts';
import { isStale } from '../domain/subsystem-health.ts';
import { readPolicy } from '../store/policy.ts';
import { allHealth } from '../store/subsystem-health.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

/** A worker that has not told yet is believed: the stage itself looks again. @throws Problem SANDBOX_UNAVAILABLE */
export async function refuseWithoutSandbox({ config, database }: ApiDeps): Promise<void> {
  const { minimum } = (await readPolicy(config.configFolder)).sandbox;
  if (minimum === 'plain') return;
  const told = (await allHealth(database.query)).find((row) => row.subsystem_id === 'sandbox')?.probes[0];
  const level = sandboxLevels[told?.value ?? -1];
  if (told === undefined || level === undefined || isStale(told, Date.now()) || reaches(level, minimum)) return;
  throw new Problem(503, 'SANDBOX_UNAVAILABLE', `the policy wants commands run at level ${minimum} or stronger, and the worker's host gives ${told.reason ?? level}`);
}
