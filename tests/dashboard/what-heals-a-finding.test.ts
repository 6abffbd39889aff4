import { expect, test } from 'vitest';
import { findingStates } from '../../src/domain/finding.ts';
import { whatHeals } from '../../src/dashboard/pages/findings/what-heals.ts';
import { effectiveness, type BoundPlaybook, type PlaybookView } from '../../src/dashboard/pages/playbooks/wire.ts';

const binding = (more: Partial<BoundPlaybook> = {}): BoundPlaybook => ({
  subsystem_id: 'shop', resource_id: 'web', params: null, approval: 'by_risk', quarantined: null, ruling: { kind: 'allowed', needs_person: [] },
  limits: {
    cooldown_success_seconds: 1, cooldown_failure_seconds: 1, max_runs: 1, max_runs_per_seconds: 1, run_timeout_seconds: 1,
    recurrence_window_seconds: 1, quiet_hours: [], max_targets: 1,
  }, ...more,
});
const playbook = (bindings: BoundPlaybook[]): PlaybookView => ({
  playbook_id: 'restart_service', version: 1, title: 'Start what is down', risk: 'medium', symptoms: ['service_down'], resources: ['service'],
  next_rung: null, advice: 'look', bindings, runs: [],
});
const finding = {
  state: 'FIRING', symptom: 'service_down', subsystem_id: 'shop', resource_id: 'web', playbook_id: null, healing_mission_id: null, inhibited_by: null,
} as const;

test('a playbook that is bound there and may run takes it up', () => {
  expect(whatHeals(finding, [playbook([binding()])])).toMatchObject({ hindrance: null, said: 'restart_service takes it up by itself' });
});

test('one that may not run says why', () => {
  const ruling = { kind: 'refused', code: 'COOLDOWN', reason: 'cools down until noon', next_rung: false } as const;
  const { said, healers } = whatHeals(finding, [playbook([binding({ ruling })])]);
  expect(said).toBe('nothing heals it: restart_service cooldown: cools down until noon');
  expect(healers[0]!.hindrance).toBe('cooldown: cools down until noon');
});

test('another resource, another symptom, or another playbook asked for: nothing heals it', () => {
  const nothing = /^nothing heals it: no playbook for \w+ is bound to shop\/web$/;
  expect(whatHeals(finding, [playbook([binding({ resource_id: 'orders' })])]).said).toMatch(nothing);
  expect(whatHeals({ ...finding, symptom: 'high_latency' }, [playbook([binding()])]).said).toMatch(nothing);
  expect(whatHeals({ ...finding, playbook_id: 'memory_leak' }, [playbook([binding()])]).said).toMatch(nothing);
});

test('only what fires is healed; what is not known is not claimed', () => {
  for (const state of findingStates.filter((state) => state !== 'FIRING')) {
    expect(whatHeals({ ...finding, state }, [playbook([binding()])]), state).toMatchObject({ hindrance: expect.any(String), said: expect.stringMatching(/^nothing/) });
  }
  expect(whatHeals({ ...finding, symptom: null }, [playbook([binding()])]).said).toContain('names no symptom');
  expect(whatHeals(finding, null).said).toContain('not known');
});

test('its mission is what heals it', () => {
  expect(whatHeals({ ...finding, healing_mission_id: 'mission_20261121_001' }, null).said).toBe('taken up by mission_20261121_001');
});

test('effectiveness counts only runs that acted; none is not known', () => {
  const runs = (outcome: 'effective' | 'failed' | 'dry_run', n: number) => ({ outcome, runs: n, last_started_at: '2026-11-21T00:00:00.000Z' });
  expect(effectiveness({ runs: [runs('dry_run', 9)] })).toBeNull();
  expect(effectiveness({ runs: [runs('effective', 2), runs('failed', 1), runs('dry_run', 9)] })).toEqual({ effective: 2, acted: 3 });
});
