/** What hosts hold of the repositories they work on, as people are shown it. */
import { systemActor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { TidyReport } from '../domain/workspaces.ts';
import { evidence, type StoredArtifact } from './artifacts.ts';
import type { Query } from './database.ts';
import { insertEvents } from './events.ts';
import { toJson } from './json.ts';

export interface HostWorkspaces {
  host_id: string;
  worktrees: { repository_id: string; slot: number; holder: string | null; used_at: string; broken_reason: string | null }[];
  /** First come, first served. */
  waiting: { repository_id: string; holder: string; asked_at: string }[];
  caches: { count: number; bytes: number };
  tidied_at: string | null;
  report: TidyReport | null;
}

export async function saveTidyReport(query: Query, hostId: string, report: TidyReport): Promise<void> {
  await query(
    `INSERT INTO workspace_hosts (host_id, tidied_at, report) VALUES ($1, clock_timestamp(), $2)
     ON CONFLICT (host_id) DO UPDATE SET tidied_at = EXCLUDED.tidied_at, report = EXCLUDED.report`, [hostId, toJson(report)]);
}

export async function listWorkspaces(query: Query): Promise<HostWorkspaces[]> {
  const [hosts, worktrees, waiting, caches] = await Promise.all([
    query<Pick<HostWorkspaces, 'host_id' | 'tidied_at' | 'report'>>(
      `SELECT h.host_id, w.tidied_at, w.report FROM (SELECT host_id FROM workspace_hosts UNION SELECT host_id FROM worktrees) h
         LEFT JOIN workspace_hosts w USING (host_id) ORDER BY h.host_id`),
    query<HostWorkspaces['worktrees'][number] & { host_id: string }>(
      'SELECT host_id, repository_id, slot, holder, used_at, broken_reason FROM worktrees ORDER BY repository_id, slot'),
    query<HostWorkspaces['waiting'][number] & { host_id: string }>('SELECT host_id, repository_id, holder, asked_at FROM worktree_requests ORDER BY asked_at'),
    query<HostWorkspaces['caches'] & { host_id: string }>(
      'SELECT host_id, count(*)::int AS count, coalesce(sum(size_bytes), 0)::bigint AS bytes FROM dependency_caches GROUP BY host_id'),
  ]);
  const of = <T extends { host_id: string }>(rows: readonly T[], hostId: string): Omit<T, 'host_id'>[] =>
    rows.filter((row) => row.host_id === hostId).map(({ host_id: _host, ...row }) => row);
  return hosts.map((host) => ({
    ...host, worktrees: of(worktrees, host.host_id), waiting: of(waiting, host.host_id),
    caches: of(caches, host.host_id)[0] ?? { count: 0, bytes: 0 },
  }));
}

export interface WorkBundle { mission_id: string; repository_id: string; ref: string; commit: string; sha256: string; size_bytes: number; kept_at: string }

/** Commits that landed nowhere, newest first. */
export const listWorkBundles = (query: Query, limit: number): Promise<WorkBundle[]> =>
  query<WorkBundle>('SELECT mission_id, repository_id, ref, commit, sha256, size_bytes, kept_at FROM work_bundles ORDER BY kept_at DESC LIMIT $1', [limit]);

/** Of these missions, those that ended so many hours ago. */
export async function longOver(query: Query, missionIds: readonly string[], hours: number): Promise<Set<string>> {
  const rows = await query<{ mission_id: string }>(
    `SELECT mission_id FROM missions
      WHERE mission_id = ANY($1) AND status IN ('resolved', 'escalated', 'aborted') AND ended_at < now() - make_interval(secs => $2)`, [missionIds, hours * 3_600]);
  return new Set(rows.map((row) => row.mission_id));
}

/** One row for each ref in the bundle, and the event. Call it in a transaction; safe to repeat. */
export async function keepBundle(
  query: Query, bundle: Pick<WorkBundle, 'mission_id' | 'repository_id'>, stored: StoredArtifact, refs: readonly { name: string; commit: string }[],
): Promise<void> {
  const { mission_id, repository_id } = bundle;
  const commits = refs.map(({ commit }) => commit);
  await query(
    `INSERT INTO work_bundles (mission_id, ref, commit, repository_id, sha256, size_bytes)
     SELECT $1, r.ref, r.commit, $2, $3, $4 FROM unnest($5::text[], $6::text[]) AS r (ref, commit) ON CONFLICT DO NOTHING`,
    [mission_id, repository_id, stored.sha256, stored.size_bytes, refs.map(({ name }) => name), commits]);
  await insertEvents(query, [{
    type: 'candidates.bundled', actor: systemActor('worker'), subject: { ...noSubject, mission_id },
    payload: { repository_id, refs, evidence: [evidence('bundle', stored, `${refs.length} refs of ${mission_id}`)] },
    idempotency_key: `bundled:${repository_id}:${mission_id}:${commits.toSorted().join(',')}`,
  }]);
}
