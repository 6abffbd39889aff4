/** Whether a host has room for more work: a free worktree, and disk above the floor. */
import { ApplicationFailure } from '@temporalio/common';
import type { FailureCode } from '../domain/failure.ts';
import type { NoRoom } from '../domain/workspaces.ts';
import { hasCode } from '../engine/failure.ts';
import { allInUse } from '../git/worktrees.ts';
import { readWorkspaceSettings } from '../store/workspace-settings.ts';
import { reserved } from '../store/worktree-slots.ts';
import type { ActivityDeps } from './deps.ts';
import { refuseFullDisk } from './disk.ts';
import { withHeartbeat } from './heartbeat.ts';
import { makeRoomOnDisk } from './tidy/caches.ts';

export interface RoomInput { repository_id: string; holder: string }

export const roomActivities = (deps: ActivityDeps) => ({
  /**
   * Asks again for room, keeping the place in line; below the floor it first throws away caches.
   * @returns why there is still none, or null: then a worktree is held for the asker
   */
  async roomFor(input: RoomInput): Promise<{ code: FailureCode; reason: string } | null> {
    return withHeartbeat(async () => {
      try {
        await makeRoomOnDisk(deps);
        await refuseFullDisk(deps);
        const settings = await readWorkspaceSettings(deps.config.configFolder);
        const claimed = await deps.worktrees.slots.claim(input.repository_id, input.holder, reserved, settings.slots_per_repository);
        return 'place' in claimed ? { code: 'WORKSPACE_BUSY', reason: allInUse(claimed.slots) } : null;
      } catch (error) {
        if (!hasCode(error, 'DISK_FULL')) throw error;
        return { code: 'DISK_FULL', reason: error.message };
      }
    });
  },
});

/** The same failure with what the mission needs to ask again. */
export function withNoRoom(error: unknown, lack: NoRoom): unknown {
  if (!hasCode(error, 'DISK_FULL') && !hasCode(error, 'WORKSPACE_BUSY')) return error;
  if (error.nonRetryable !== true) return error;
  return ApplicationFailure.create({ type: error.type!, message: error.message, nonRetryable: true, details: [lack] });
}

/** Wakes whoever waits longest; one that cannot be told looks for itself before long. */
export async function tellNextInLine({ worktrees, temporal, logger }: Pick<ActivityDeps, 'worktrees' | 'temporal' | 'logger'>, repositoryId: string): Promise<void> {
  const next = await worktrees.slots.firstInLine(repositoryId);
  if (next === undefined) return;
  await temporal.workflow.getHandle(next.split(':')[0]!).signal('roomMade')
    .catch((error: Error) => logger.info({ event: 'workspace.untold', holder: next, reason: error.message }));
}
