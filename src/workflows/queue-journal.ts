/** What people see of a merge queue: what it lands now, and whether it is frozen; written as it happens. */
import { patched, workflowInfo } from '@temporalio/workflow';
import type { Actor } from '../domain/actor.ts';
import type { LandingRequest, QueueEvent, QueueFreeze } from '../domain/landing.ts';
import { recording } from './activities.ts';

export interface QueueJournal {
  landing(request: LandingRequest): Promise<void>;
  idle(): Promise<void>;
  frozen(freeze: QueueFreeze, actor: Actor): Promise<void>;
  unfrozen(freeze: QueueFreeze, reason: string, actor: Actor): Promise<void>;
}

export function openQueueJournal(queue: { repository_id: string; target_branch: string; frozen?: QueueFreeze | null }): QueueJournal {
  const { repository_id, target_branch } = queue;
  const { workflowId, runId } = workflowInfo();
  let current: { mission_id: string; kind: 'land' | 'revert'; since: string } | null = null;
  let freeze = queue.frozen ?? null;
  let events = 0;
  let writing: Promise<void> = Promise.resolve();

  /** One after the other: handlers interleave with the landing at every await. */
  function write(event: Omit<QueueEvent, 'key'> | null): Promise<void> {
    events += 1;
    const row = { repository_id, target_branch, current, frozen: freeze };
    const keyed = event === null ? null : { ...event, key: `${workflowId}:${runId}:${events}:${event.type}:${event.actor.id}` };
    // What somebody said is in the history before it is in the ledger, as with missions.
    const way = recording(event !== null && event.actor.role !== 'system');
    writing = writing.then(() => way.writeQueue({ row, event: keyed }));
    return writing;
  }

  return {
    async landing({ mission_id, kind }) {
      if (!patched('queue-is-shown')) return;
      current = { mission_id, kind, since: new Date().toISOString() };
      await write(null);
    },
    async idle() {
      if (current === null) return;
      current = null;
      await write(null);
    },
    async frozen(why, actor) {
      freeze = why;
      await write({ type: 'queue.frozen', actor, mission_id: why.mission_id, payload: { repository_id, target_branch, ...why } });
    },
    async unfrozen(before, reason, actor) {
      freeze = null;
      await write({ type: 'queue.unfrozen', actor, mission_id: before.mission_id, payload: { repository_id, target_branch, reason, was: before.reason } });
    },
  };
}
