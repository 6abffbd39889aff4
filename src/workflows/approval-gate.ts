/** The approval of one tree and its evidence: asked for, decided by an Update, expired by a timer. */
import { setHandler } from '@temporalio/workflow';
import { actorOf } from '../domain/actor.ts';
import { authorsOf, refuseDecision, sameDigests, statusAfter, type Approval, type ApprovalDigests } from '../domain/approval.ts';
import * as messages from './messages.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import type { Mission } from './mission.ts';
import { refuse, requireFresh } from './refusal.ts';

export interface ApprovalGate {
  /** The mission ends: what still waits is asked of nobody any more. */
  close(): void;
  /** Waits until enough people agreed, one refused, or the deadline passed. The same digests are asked for once. */
  ask(input: { digests: ApprovalDigests; required: number; rules: string[]; deadline_minutes: number }): Promise<Approval>;
}

/** @param workers whoever worked on it without being named in its package */
export function openApprovalGate(mission: Mission<MissionPackage>, workers: () => string[] = () => []): ApprovalGate {
  let approval: Approval | null = null;
  let asked = 0;
  const authors = (): string[] => [...new Set([...authorsOf(mission.package), ...workers()])];

  setHandler(messages.decide, async (input) => {
    const current = approval!;
    const at = new Date().toISOString();
    current.decisions.push({ decision: input.decision, by: input.principal, at, reason: input.reason, ...(input.send_back === true ? { send_back: true } : {}) });
    current.status = statusAfter(current);
    mission.saveApproval(current);
    mission.note('approval.decided', {
      approval_id: current.approval_id, decision: input.decision, reason: input.reason, digests: current.digests, status: current.status,
    }, actorOf(input.principal));
    // Answered only once it is written: whoever loses a race reads the winner.
    await mission.flush();
    return { approval_id: current.approval_id, status: current.status };
  }, {
    // Synchronous, and it changes nothing: a refused update leaves no trace in the history.
    validator(input) {
      requireFresh(mission.package.mission_id, mission.state.status, input);
      if (approval === null) return void refuse('MISSION_NOT_WAITING', 'no approval has been asked for yet');
      const refusal = refuseDecision(approval, input, authors());
      if (refusal !== null) refuse(refusal.code, refusal.detail);
    },
  });

  return {
    close() {
      if (approval?.status !== 'waiting') return;
      approval.status = 'withdrawn';
      mission.saveApproval(approval);
    },
    async ask({ digests, required, rules, deadline_minutes }) {
      if (approval === null || !sameDigests(approval.digests, digests)) {
        if (approval?.status === 'waiting') {
          approval.status = 'superseded';
          mission.saveApproval(approval);
          await mission.flush();
        }
        asked += 1;
        approval = {
          approval_id: `approval_${mission.package.mission_id.replace('mission_', '')}_${asked}`,
          mission_id: mission.package.mission_id, status: 'waiting', digests, required, rules, decisions: [],
          requested_at: new Date().toISOString(), deadline: new Date(Date.now() + deadline_minutes * 60_000).toISOString(),
        };
        mission.saveApproval(approval);
        mission.note('approval.requested', { approval_id: approval.approval_id, digests, required, rules, not_by: authors() });
      }
      const current = approval;
      const outcome = await mission.wait({
        kind: 'approval', reason: rules.join('; '),
        who: `${required} approver${required === 1 ? '' : 's'} other than ${authors().join(', ')}`,
        on_deadline: 'the mission is aborted',
      }, () => current.status !== 'waiting', Math.max(0, Date.parse(current.deadline) - Date.now()));
      if (outcome === 'deadline') {
        current.status = 'expired';
        mission.saveApproval(current);
        mission.note('approval.expired', { approval_id: current.approval_id });
      }
      return current;
    },
  };
}
