/** Waiting for room on a host: a worktree that is in use, or disk below the floor. Visible, and ended by room, not by luck. */
import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import type { NoRoom } from '../domain/workspaces.ts';
import { onHost } from './activities.ts';
import { MissionEscalated } from './interrupts.ts';
import type { WaitReason } from './mission.ts';

const hourMs = 3_600_000;
/** As for everything else that needs a person. */
const diskHours = 24;
const shortestMs = 1_000;
/** Well under the time after which one who does not look again loses the place in line. */
const longestMs = 120_000;

export interface RoomWait {
  beginWait: (on: WaitReason, timeoutMs: number | null) => void;
  endWait: () => void;
  flush: () => Promise<void>;
  sleep: (ms: number) => Promise<void>;
}

interface Lack extends NoRoom { code: string; reason: string }

/** What the work was refused for, if that was room. */
function lackIn(error: unknown): Lack | null {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return null;
  const { type, message, details } = error.cause;
  const [where] = (details ?? []) as (NoRoom | undefined)[];
  if ((type !== 'DISK_FULL' && type !== 'WORKSPACE_BUSY') || where?.host_queue === undefined) return null;
  return { ...where, code: type, reason: message };
}

/** Does the work; refused for want of room, waits for room and does it again. */
export async function withRoom<T>(wait: RoomWait, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const lack = lackIn(error);
      if (lack === null) throw error;
      await waitForRoom(wait, lack);
    }
  }
}

async function waitForRoom(wait: RoomWait, lack: Lack): Promise<void> {
  const { repository_id, holder } = lack;
  let last: Pick<Lack, 'code' | 'reason'> | null = null;
  let now: Pick<Lack, 'code' | 'reason'> | null = lack;
  let deadline = Number.POSITIVE_INFINITY;
  try {
    for (let ms = shortestMs; now !== null; ms = Math.min(2 * ms, longestMs)) {
      if (now.code !== last?.code || now.reason !== last.reason) {
        wait.endWait();
        const disk = now.code === 'DISK_FULL';
        deadline = disk ? Date.now() + diskHours * hourMs : Number.POSITIVE_INFINITY;
        wait.beginWait({
          kind: disk ? 'operator' : 'resource', reason: `${now.code}: ${now.reason}`,
          who: disk ? 'whoever makes room on that disk; it is looked at again by itself, and at once by retry' : 'whoever uses them: first come, first served',
          on_deadline: disk ? 'escalate' : null,
        }, disk ? diskHours * hourMs : null);
        await wait.flush();
        last = now;
      }
      await wait.sleep(ms);
      if (Date.now() >= deadline) throw new MissionEscalated(`nobody made room: ${now.reason}`);
      now = await onHost(lack.host_queue).roomFor({ repository_id, holder });
    }
  } finally {
    wait.endWait();
  }
}
