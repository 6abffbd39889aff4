/** A CAPA record's way through its life, as people take it: each step by whom it is for. */
import type { CapaDetail } from '../../src/domain/capa-view.ts';
import type { ApiClient } from '../../src/cli/client.ts';
import type { CapaState } from '../../src/domain/capa.ts';

const path = (id: string): string => `/mission-control/capa/${id}`;

/** Olga works, abe approves, rita reviews. */
export interface CapaPeople { olga: ApiClient; abe: ApiClient; rita: ApiClient }

export const readCapa = (who: ApiClient, id: string): Promise<CapaDetail> => who.get(path(id));

export async function openCapa(who: ApiClient, problem = `the mesh is slow ${Math.random()}`): Promise<CapaDetail> {
  return who.post('/mission-control/capa', { subsystem_id: 'mesh', problem_statement: problem });
}

/** Edits the record as it is now, unless another version is named. */
export async function editCapa(who: ApiClient, id: string, edit: Record<string, unknown>): Promise<CapaDetail> {
  const { version } = await readCapa(who, id);
  return (await who.send<CapaDetail>('PATCH', path(id), { version, ...edit })).body;
}

export async function moveCapa(who: ApiClient, id: string, to: CapaState, more: Record<string, unknown> = {}): Promise<CapaDetail> {
  const { version } = await readCapa(who, id);
  return who.post(`${path(id)}/transitions`, { to, version, reason: 'as planned', ...more });
}

export interface Plan { metric_id: string; window_minutes?: number; min_samples?: number; action_due_at?: string }

export const planOf = ({ metric_id, window_minutes = 0.01, min_samples = 1, action_due_at }: Plan) => ({
  investigation: { method: 'five_whys', root_cause: { kind: 'found', description: 'a lock is held too long' } },
  actions: [{ action_id: 'a1', description: 'shorten the lock', owner: 'olga', due_at: action_due_at ?? new Date(Date.now() + 3_600_000).toISOString() }],
  criterion: { metric_id, comparator: '<', target: 1, window_minutes, min_samples },
});

const way: CapaState[] = ['OPENED', 'TRIAGED', 'CONTAINED', 'INVESTIGATING', 'PLAN_PROPOSED', 'PLAN_APPROVED', 'IMPLEMENTING', 'VERIFIED'];

/** Fills in what each step needs and takes it, up to a state. */
export async function bringTo({ olga, abe }: CapaPeople, id: string, state: CapaState, plan: Plan): Promise<CapaDetail> {
  const before: Partial<Record<CapaState, Record<string, unknown>>> = {
    TRIAGED: { type: 'corrective', risk: { severity: 7, occurrence: 3, detection: 2 } },
    CONTAINED: { containment: { kind: 'not_needed', description: 'slow, not wrong' } },
    PLAN_PROPOSED: planOf(plan),
    VERIFIED: { done: ['a1'], verification: { description: 'load test', no_adverse_effect: 'all suites pass' } },
  };
  for (const to of way.slice(1, way.indexOf(state) + 1)) {
    const current = await readCapa(olga, id);
    if (way.indexOf(current.state) >= way.indexOf(to)) continue;
    if (before[to] !== undefined) await editCapa(olga, id, before[to]);
    await moveCapa(to === 'PLAN_APPROVED' ? abe : olga, id, to);
  }
  return readCapa(olga, id);
}
