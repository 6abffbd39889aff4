/** An agent elsewhere, as its HTTP client. */
import { expect } from 'vitest';
import type { AgentPatch, Lease } from '../../src/domain/agent-work.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { PatchView } from '../../src/api/post-patch.ts';
import type { TestRepository } from './repository.ts';
import type { System } from './system.ts';

export interface Claimed {
  lease: Lease; brief: string; base: { commit: string; tree: string }; attempt: number; max_attempts: number;
  links: { bundle: string; archive: string; patches: string; lease: string };
}

export async function agentElsewhere(system: System, id: string) {
  const api = await system.as(id, 'agent');
  const patches = (mission: string): string => `/mission-control/missions/${mission}/patches`;
  return {
    id, api,
    next: (query = '') => api.get<{ mission: MissionDetail | null; reason: string; take: string | null }>(`/mission-control/queue/next?agent_id=${id}&needs=patch${query}`),
    claim: (mission: string, more: object = {}) => api.post<Claimed>(`/mission-control/queue/${mission}/claim`, { agent_id: id, ...more }),
    keep: (lease: Lease, lease_seconds?: number) => api.post<Lease>(`/mission-control/queue/${lease.mission_id}/lease`, { lease_id: lease.lease_id, lease_seconds }),
    giveBack: async (lease: Lease) => (await api.send<Lease>('DELETE', `/mission-control/queue/${lease.mission_id}/lease?lease_id=${lease.lease_id}`)).body,
    post: (lease: Lease, diff: string, usage: object = {}) => api.post<AgentPatch>(patches(lease.mission_id), { lease_id: lease.lease_id, diff, usage }),
    result: (mission: string, number: number, wait = 10) => api.get<PatchView>(`${patches(mission)}/${number}?wait=${wait}`),
  };
}

/** A mission that nobody has a patch for: it waits in the queue. */
export async function queuedMission(system: System, repository: TestRepository, more: Record<string, unknown> = {}): Promise<string> {
  const { mission_id } = await system.send(repository, [], { workspace: { repo_path: repository.path }, ...more });
  await system.whenWaiting(mission_id, 'agent');
  return mission_id;
}

/** Runs `work` and shows that nobody's hold on a mission, no patch and no artefact is another one afterwards. */
export async function changingNoWork<T>({ db }: System, work: () => Promise<T>): Promise<T> {
  const look = () => db.database.query(
    `SELECT (SELECT jsonb_agg(l ORDER BY lease_id) FROM agent_leases l) AS leases, (SELECT jsonb_agg(p ORDER BY mission_id, number) FROM agent_patches p) AS patches,
            (SELECT count(*) FROM artifacts) AS artifacts, (SELECT count(*) FROM events WHERE type IN ('lease.granted', 'lease.lost', 'patch.posted')) AS events`);
  const before = await look();
  const result = await work();
  expect(await look()).toEqual(before);
  return result;
}
