/** Records for the tests: one with every field filled in, moved to where a test needs it. */
import type { Actor, PrincipalKind, Role } from '../../src/domain/actor.ts';
import { emptyRecord, type Capa, type CapaDecision, type CapaState } from '../../src/domain/capa.ts';
import type { MoveRequest } from '../../src/domain/capa-transitions.ts';

export const now = Date.parse('2026-03-01T12:00:00.000Z');
export const later = (minutes: number): string => new Date(now + minutes * 60_000).toISOString();

export const as = (id: string, role: Role | 'system', kind: PrincipalKind = role === 'agent' ? 'agent' : role === 'system' ? 'service' : 'person'): Actor =>
  ({ id, kind, role, key_id: null });

export const decided = (to: CapaState, by: string, at = later(-60)): CapaDecision =>
  ({ from: 'OPENED', to, by, role: 'operator', at, reason: null });

/** Opened, nothing filled in. */
export const bare = (more: Partial<Capa> = {}): Capa => ({
  ...emptyRecord, capa_id: 'CAPA-2026-0001', state: 'OPENED', version: 1, source: 'manual', fingerprint: 'f', occurrences: 1,
  mission_id: null, subsystem_id: 'mesh', problem_statement: 'the mesh is slow', evidence: [], opened_by: 'root',
  opened_at: later(-600), ...more,
});

/** All that any move asks for: proposed by pat, approved by abe, the action is olga's and done, the effect measured. */
export const whole = (state: CapaState, more: Partial<Capa> = {}): Capa => bare({
  state, type: 'corrective', risk: { severity: 7, occurrence: 3, detection: 2 },
  containment: { kind: 'done', description: 'traffic moved away' },
  investigation: { method: 'five_whys', hypotheses: [], root_cause: { kind: 'found', description: 'a lock is held too long' }, similar_records: [] },
  actions: [{ action_id: 'a1', description: 'shorten the lock', owner: 'olga', due_at: later(60), missions: [], done: { by: 'olga', at: later(-30) } }],
  criterion: { metric_id: 'mesh.p95', aggregation: 'avg', comparator: '<', target: 100, window_minutes: 10, min_samples: 3 },
  plan_authors: ['agent'], verification: { description: 'load test', no_adverse_effect: 'all suites pass', evidence: [] },
  due_at: later(600), effectiveness_due_at: later(10),
  result: { passed: true, value: 80, samples: 3, reason: 'fine', from: later(-20), until: later(-10) },
  decisions: [decided('PLAN_PROPOSED', 'pat'), decided('PLAN_APPROVED', 'abe'), decided('EFFECTIVENESS_DUE', 'olga', later(-20))],
  ...more,
});

export const request = (to: CapaState, more: Partial<MoveRequest> = {}): MoveRequest =>
  ({ to, reason: 'because', duplicate_of: 'CAPA-2026-0002', actor: as('zoe', 'admin'), now, ...more });
