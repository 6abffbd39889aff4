import { z } from 'zod';

const hours = (otherwise: number) => z.number().positive().max(100_000).default(otherwise);

/** `config/workspaces.yaml`. Unknown fields are refused: a misspelt limit must not be one that never holds. */
export const workspaceSettingsSchema = z.strictObject({
  slots_per_repository: z.number().int().min(1).max(1_000).default(8),
  quota_gb: z.number().min(0).max(1_000_000).default(20),
  disk_floor_gb: z.number().min(0).max(1_000_000).default(1),
  keep_hours: z.strictObject({
    idle_worktrees: hours(72), dependency_caches: hours(336), scratch: hours(24), refs: hours(168),
  }).prefault({}),
});
