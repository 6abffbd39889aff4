/** Locks in PostgreSQL that are not let go of, and the steps that make their holders do so. */
import type { ProbeResult } from '../../../activities/actions/index.ts';
import type { Decline, PlannedStep } from '../../../domain/healing.ts';
import { decline, step, type PlaybookContext } from '../playbook.ts';

export type Blocker = ProbeResult<'postgres.blockers'>['roots'][number];

export type Stuck = {
  /** Sessions that wait for a lock now. */
  waiting: number;
  longest_wait_seconds: number;
  /** Blockers that were there, in the same transaction, at every look. */
  blockers: Blocker[];
};

const looks = 4;

/**
 * Looks for a while: locks that others wait for are ordinary, one transaction that blocks all the while is not.
 * Ends early once none of those seen at first is left.
 */
export async function stuckBlockers(
  context: Pick<PlaybookContext<unknown>, 'probe' | 'sleep'>, seconds: number, resource?: string,
): Promise<Stuck> {
  const input = resource === undefined ? {} : { resource };
  let now = await context.probe('postgres.blockers', input);
  let same = now.roots;
  for (let look = 0; look < looks && same.length > 0; look += 1) {
    await context.sleep((seconds * 1_000) / looks);
    now = await context.probe('postgres.blockers', input);
    const { roots } = now;
    same = same.flatMap((blocker) => roots.find((root) => isSame(root, blocker)) ?? []);
  }
  return { waiting: now.waiting, longest_wait_seconds: now.longest_wait_seconds, blockers: same };
}

const isSame = (a: Blocker, b: Blocker): boolean =>
  a.pid === b.pid && a.backend_start === b.backend_start && a.xact_start === b.xact_start;

/** All or none: a database stays locked as long as one of them holds on. */
export function refuseBlockers(blockers: readonly Blocker[]): Decline | undefined {
  // Not knowing who it is weighs more than knowing that it may not be interrupted.
  const refusals = blockers.flatMap(({ refusal }) => refusal ?? []).sort((a, b) => Number(b.code === 'LOCK_HOLDER_UNKNOWN') - Number(a.code === 'LOCK_HOLDER_UNKNOWN'));
  const [first] = refusals;
  return first === undefined ? undefined : decline('refused', first.code, refusals.map(({ reason }) => reason).join('; '), { blockers: [...blockers] });
}

/** First every statement that can be cancelled, then, while it is not enough, an end to the sessions. */
export function releaseSteps(blockers: readonly Blocker[], resource?: string): PlannedStep[] {
  const target = ({ pid, backend_start, xact_start }: Blocker) =>
    ({ pid, backend_start: backend_start!, xact_start, ...(resource === undefined ? {} : { resource }) });
  // A cancellation reaches a running statement only: a session that idles in its transaction does not notice it.
  const running = blockers.filter(({ state }) => state === 'active');
  return [
    ...running.map((blocker) => step({
      id: `cancel_${blocker.pid}`, action: 'postgres.cancel_backend', with: target(blocker), run: 'while_symptom', on_failure: 'next',
      effect: `cancels the running statement of ${nameOf(blocker)}; its transaction is rolled back, its session lives`,
    })),
    ...blockers.map((blocker) => step({
      id: `terminate_${blocker.pid}`, action: 'postgres.terminate_backend', with: target(blocker), run: 'while_symptom',
      effect: `ends the session of ${nameOf(blocker)}; its transaction is rolled back`,
    })),
  ];
}

export const nameOf = ({ pid, application_name, usename, state, statement, blocks }: Blocker): string =>
  `backend ${pid} (${JSON.stringify(application_name)}, role ${JSON.stringify(usename)}, ${state ?? 'state unknown'}${statement === null ? '' : `, ${statement.keyword}`}), for which ${blocks} ${blocks === 1 ? 'session waits' : 'sessions wait'}`;
