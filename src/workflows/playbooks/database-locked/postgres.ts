/** database_locked in PostgreSQL: a bounded wait, then cancel, then terminate a named and listed holder. */
import { z } from 'zod';
import type { Check, Decline, PlannedStep } from '../../../domain/healing.ts';
import { decline, type PlaybookContext, type VerifyContext } from '../playbook.ts';
import { nameOf, refuseBlockers, releaseSteps, stuckBlockers, type Stuck } from '../postgres/stuck-blockers.ts';

export const postgresLockedParams = {
  /** How long one transaction must block others, at every look, to count as stuck. */
  postgres_wait_seconds: z.number().min(0.2).max(300).default(5),
};

interface Params { postgres_wait_seconds: number }

export type PostgresLockedFacts = { kind: 'postgres' } & Stuck;

type Context = PlaybookContext<Params, 'postgres'>;
type Verifying = VerifyContext<Params, PostgresLockedFacts, 'postgres'>;

export async function planPostgres(context: Context): Promise<PostgresLockedFacts | Decline> {
  const stuck = await stuckBlockers(context, context.params.postgres_wait_seconds);
  if (stuck.blockers.length > 0) return refuseBlockers(stuck.blockers) ?? { kind: 'postgres', ...stuck };
  return stuck.waiting === 0
    ? decline('healthy', 'NOBODY_WAITS', 'no session waits for a lock')
    : decline('not_applicable', 'LOCKS_MOVE', `${stuck.waiting} sessions wait, but no transaction blocked others for ${context.params.postgres_wait_seconds} s: the locks change hands`, stuck);
}

export const postgresSteps = ({ facts }: { facts: PostgresLockedFacts }): PlannedStep[] => releaseSteps(facts.blockers);

export const verifyPostgres = {
  async symptom(context: Verifying): Promise<Check> {
    const stuck = await stuckBlockers(context, context.params.postgres_wait_seconds);
    const found = stuck.blockers.length === 0
      ? `no transaction blocks others for ${context.params.postgres_wait_seconds} s` : `still blocking: ${stuck.blockers.map(nameOf).join('; ')}`;
    return { ok: stuck.blockers.length === 0, found, measured: stuck };
  },
  /** A lock that is gone is of no use where nothing can be written. */
  async independent(context: Verifying): Promise<Check> {
    const write = await context.probe('postgres.write_check', {});
    return { ok: write.writable, found: write.writable ? 'a transaction begins and writes' : `nothing can be written: ${write.reason}`, measured: write };
  },
  async must_not_regress(context: Verifying): Promise<Check> {
    const { waiting, longest_wait_seconds } = await context.probe('postgres.blockers', {});
    return {
      ok: longest_wait_seconds <= context.facts.longest_wait_seconds,
      found: `${waiting} sessions wait, the longest ${longest_wait_seconds.toFixed(1)} s; it was ${context.facts.longest_wait_seconds.toFixed(1)} s before`,
      measured: { waiting, longest_wait_seconds },
    };
  },
};
