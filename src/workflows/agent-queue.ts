/**
 * The mission's side of the queue for agents: it is offered, one agent holds it for a time, and patches are posted to it.
 * Claiming, giving back and posting are Updates. Extending a lease is a row, as every heartbeat is: this workflow's timer
 * wakes when the lease would be over, reads how much is left of it, and sleeps on or takes the mission back.
 */
import { condition, setHandler } from '@temporalio/workflow';
import { actorOf } from '../domain/actor.ts';
import type {
  AgentPatch, ClaimAnswer, ClaimInput, GiveBackInput, Lease, LeaseEnd, PatchStage, PostPatchInput, WorkOffer,
} from '../domain/agent-work.ts';
import { record } from './activities.ts';
import { MissionEscalated } from './interrupts.ts';
import * as messages from './messages.ts';
import type { Mission, WaitReason } from './mission.ts';
import { refuse, requireFresh } from './refusal.ts';

/** What became of a patch. */
export interface Judgement {
  state: 'proved' | 'failed';
  reason: string | null;
  stages: PatchStage[];
  /** Whether another one is wanted. */
  again: boolean;
}

export interface AgentQueue {
  /** Offers the mission and waits for a patch. One that was posted and is not judged yet is given again. */
  patch(offer: WorkOffer): Promise<AgentPatch>;
  /** Tells what became of it; the lease ends when no other one is wanted. */
  judged(judgement: Judgement): void;
  /** Whoever posted a patch: an author of the change. */
  authors(): string[];
  /** The mission ends: nobody holds it any more. */
  close(): void;
}

const waitDays = 30;
const dayMs = 86_400_000;
/** How long before its sender gives up a claim is answered, so that no 503 is told of a lease that is granted. */
const answerMs = 1_000;
/** Stages after which a mission that nobody has offered yet may be offered. */
const preparing: readonly (string | null)[] = [null, 'fetch_context', 'pull_code'];

export function openAgentQueue(mission: Mission): AgentQueue {
  const { mission_id: id } = mission.package;
  const day = id.replace('mission_', '');
  let offer: WorkOffer | null = null;
  let open = false;
  let closed = false;
  let lease: Lease | null = null;
  let leases = 0;
  let posted: AgentPatch | null = null;
  const patches: AgentPatch[] = [];

  // ---- leases ------------------------------------------------------------------------------------------------
  function endLease(end_reason: LeaseEnd): void {
    if (lease === null) return;
    mission.agentWork({ leases: [{ ...lease, ended_at: new Date().toISOString(), end_reason }] });
    lease = null;
  }

  function loseLease(lost: Lease, end_reason: LeaseEnd, by?: ClaimInput['principal']): void {
    endLease(end_reason);
    mission.note('lease.lost', { lease_id: lost.lease_id, agent_id: lost.agent_id, end_reason }, ...(by === undefined ? [] : [actorOf(by)]));
  }

  /** Sleeps as long as the lease lasts; whoever extended it meanwhile did so in its row. */
  async function watch(held: Lease): Promise<void> {
    let leftMs = held.lease_seconds * 1_000;
    while (leftMs > 0) {
      await condition(() => lease !== held, leftMs);
      if (lease !== held) return;
      leftMs = await record.expireLease(held.lease_id);
    }
    // It may have ended otherwise while its row was read.
    if (lease !== held) return;
    loseLease(held, 'expired');
    await mission.flush();
  }

  const holds = ({ principal }: { principal: { id: string } }): boolean => lease?.agent_id === principal.id;

  function checkClaim(input: ClaimInput): void {
    if (lease !== null && !holds(input)) refuse('LEASE_HELD', `${lease.agent_id} holds ${id}`);
    if (lease !== null || open) return;
    if (closed || !preparing.includes(mission.state.stage)) {
      refuse('MISSION_NOT_WAITING', `${id} waits for no agent: ${posted === null ? `it is in ${mission.state.stage ?? 'no stage'}` : `patch ${posted.number} is being tested`}`);
    }
  }

  setHandler(messages.claim, async (input): Promise<ClaimAnswer> => {
    // Whoever holds it may ask again between two attempts: for the brief of the next one.
    const ready = (): boolean => offer !== null || closed || (lease !== null && !holds(input));
    if (!ready()) await condition(ready, Math.max(1, Date.parse(input.valid_until) - answerMs - Date.now()));
    if (!ready()) refuse('MISSION_PREPARING', `${id} is being prepared: it is in ${mission.state.stage ?? 'no stage yet'}; claim it when the queue names it`);
    checkClaim(input);
    if (lease === null) {
      leases += 1;
      const granted_at = new Date().toISOString();
      lease = {
        lease_id: `lease_${day}_${leases}`, mission_id: id, agent_id: input.principal.id, agent_role: input.agent_role,
        lease_seconds: input.lease_seconds, granted_at, expires_at: granted_at, ended_at: null, end_reason: null,
      };
      mission.agentWork({ leases: [lease] });
      mission.note('lease.granted', { lease_id: lease.lease_id, agent_id: lease.agent_id, agent_role: lease.agent_role, lease_seconds: lease.lease_seconds }, actorOf(input.principal));
      // Ends with the workflow, however that ends.
      watch(lease).catch(() => undefined);
    }
    const { lease_id } = lease;
    await mission.flush();
    return { lease_id, offer: offer! };
  }, {
    validator(input) {
      requireFresh(id, mission.state.status, input);
      checkClaim(input);
    },
  });

  function requireLease({ lease_id, principal }: GiveBackInput): Lease {
    if (lease === null || lease.lease_id !== lease_id || lease.agent_id !== principal.id) return refuse('LEASE_LOST', `${lease_id} is over`);
    return lease;
  }

  setHandler(messages.giveBack, async (input) => {
    loseLease(requireLease(input), 'given_back', input.principal);
    await mission.flush();
    return { lease_id: input.lease_id };
  }, {
    validator(input) {
      requireFresh(id, mission.state.status, input);
      requireLease(input);
    },
  });

  // ---- patches -----------------------------------------------------------------------------------------------
  /** The same bytes under the same lease are the same patch. */
  const sameAs = (input: PostPatchInput): AgentPatch | undefined =>
    patches.find((patch) => patch.lease_id === input.lease_id && patch.kind === input.kind && patch.artifact === input.artifact);

  function checkPost(input: PostPatchInput): void {
    requireLease(input);
    if (posted !== null) refuse('PATCH_TESTING', `patch ${posted.number} of ${id} is being tested; the next one may follow when it has failed`);
  }

  setHandler(messages.postPatch, async (input) => {
    const known = sameAs(input);
    if (known === undefined) {
      checkPost(input);
      const { principal, lease_id, kind, artifact, size_bytes, tokens, cost_micro_usd } = input;
      posted = {
        mission_id: id, number: patches.length + 1, lease_id, agent_id: principal.id, kind, artifact, size_bytes, tokens, cost_micro_usd,
        state: 'testing', reason: null, stages: [], again: false, posted_at: new Date().toISOString(), ended_at: null,
      };
      patches.push(posted);
      mission.agentWork({ mission: { worked_by: principal.id }, patches: [posted] });
      mission.note('patch.posted', { number: posted.number, lease_id, agent_id: principal.id, kind, sha256: artifact, size_bytes, tokens, cost_micro_usd }, actorOf(principal));
    }
    const { number } = known ?? posted!;
    await mission.flush();
    return { number };
  }, {
    validator(input) {
      requireFresh(id, mission.state.status, input);
      if (sameAs(input) === undefined) checkPost(input);
    },
  });

  function offered(): WaitReason {
    const assigned = mission.package.assigned_to;
    return {
      kind: 'agent', reason: leases === 0 ? 'no agent has taken it yet' : 'its agent is gone, and no other one has taken it',
      who: `${assigned ?? 'any agent that may take it'}, by a claim; an operator may abort`, on_deadline: 'escalate',
    };
  }
  const held = ({ agent_id, lease_id }: Lease): WaitReason => ({
    kind: 'agent', reason: `${agent_id} works on it (${lease_id})`,
    who: `${agent_id}, by a patch; without its heartbeat it goes back to the queue; an operator may abort`, on_deadline: 'escalate',
  });

  function judged({ state, reason, stages, again }: Judgement): void {
    Object.assign(posted!, { state, reason, stages, again, ended_at: new Date().toISOString() });
    mission.agentWork({ patches: [posted!] });
    posted = null;
    offer = null;
    if (!again) endLease(state === 'proved' ? 'proved' : 'no_more_attempts');
  }

  return {
    judged,
    async patch(given) {
      if (posted !== null) return posted;
      offer = given;
      mission.agentWork({ mission: { brief: given.brief, base_commit: given.base.commit } });
      const until = Date.now() + waitDays * dayMs;
      open = true;
      try {
        for (;;) {
          if (posted !== null) return posted;
          const before: Lease | null = lease;
          mission.agentWork({ mission: { offered: before === null } });
          const outcome = await mission.wait(before === null ? offered() : held(before), () => posted !== null || lease !== before, until - Date.now());
          if (outcome === 'deadline') throw new MissionEscalated(`no agent sent a patch in ${waitDays} days`);
        }
      } finally {
        open = false;
        mission.agentWork({ mission: { offered: false } });
      }
    },
    authors: () => [...new Set(patches.map((patch) => patch.agent_id))],
    close() {
      closed = true;
      if (posted !== null) judged({ state: 'failed', reason: 'the mission ended before it was judged', stages: [], again: false });
      endLease('mission_ended');
    },
  };
}
