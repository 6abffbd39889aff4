/** What a host keeps of the repositories it works on, and for how long. */
export interface WorkspaceSettings {
  slots_per_repository: number;
  /** Of what setup commands made and downloaded, on one host. */
  quota_gb: number;
  /** With less free disk than this no new work begins. */
  disk_floor_gb: number;
  keep_hours: { idle_worktrees: number; dependency_caches: number; scratch: number; refs: number };
}

export const bytesPerGb = 1024 ** 3;

/** Kinds of things that a janitor removes. */
export const removableKinds = [
  'worktree', 'holder', 'request', 'dependency_cache', 'download_cache', 'scratch', 'token', 'artifact_part', 'ref',
] as const;
export type RemovableKind = (typeof removableKinds)[number];

/** One thing that was removed, or that could not be. `bytes` is what it freed as far as it was measured. */
export interface Removal { kind: RemovableKind; name: string; bytes: number; problem: string | null }

/** A janitor's turn. `removed` names the first of them; the counts are of all. */
export interface TidyReport { removed: Removal[]; count: number; failed: number; bytes: number; bundled: number; duration_ms: number }

/** Why work cannot begin on a host now, and where to ask again. */
export interface NoRoom { repository_id: string; holder: string; host_queue: string }
