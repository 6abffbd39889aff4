import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Evaluation } from '../../src/domain/finding.ts';
import type { WatchedRule } from '../../src/domain/finding-record.ts';
import { findFinding, healable, historyOf, listFindings, noteHealingAsked, stormFigures } from '../../src/store/finding-list.ts';
import { evaluate, resuppress, type Surroundings } from '../../src/store/findings.ts';
import { addSilence, activeSilences, removeSilence } from '../../src/store/silences.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const alone: Surroundings = { inhibited_by: null, silences: [] };
const aRule = (more: Partial<WatchedRule> = {}): WatchedRule => ({
  rule_id: `probe:${randomUUID()}`, source: 'probe', subsystem_id: 'shop', resource_id: 'web', symptom: 'service_down', playbook_id: null,
  title: 'it fails', attributes: { shop: 'a' }, severity: 'high', for_seconds: 0, keep_firing_for_seconds: 0, ...more,
});
let clock = Date.now() - 3_600_000;
beforeEach(() => { clock += 60_000; });
const says = (outcome: Evaluation['outcome'], at = (clock += 1_000)): Evaluation => ({ outcome, value: outcome === 'no_data' ? null : 1, at, reason: outcome });
const step = (rule: WatchedRule, evaluation: Evaluation, around = alone, order?: 'measured' | 'arrived') =>
  db.database.transaction((query) => evaluate(query, rule, evaluation, around, order));
const events = async (id: string): Promise<string[]> => (await historyOf(db.database.query, id)).map(({ type, from, state }) => `${type} ${from ?? ''}>${state}`);
const count = async (rule: WatchedRule): Promise<number> =>
  (await db.database.query<{ n: number }>('SELECT count(*) AS n FROM findings WHERE rule_id = $1', [rule.rule_id]))[0]!.n;

test('each change is an event, and the history tells them in order', async () => {
  const rule = aRule({ for_seconds: 1, keep_firing_for_seconds: 1 });
  const { finding } = await step(rule, says('bad'));
  for (const outcome of ['bad', 'good', 'good'] as const) await step(rule, says(outcome));
  expect(await events(finding!.finding_id)).toEqual([
    'finding.opened >PENDING', 'finding.state_changed PENDING>FIRING', 'finding.state_changed FIRING>RECOVERING', 'finding.resolved RECOVERING>RESOLVED',
  ]);
  expect(await findFinding(db.database.query, finding!.finding_id)).toMatchObject({ state: 'RESOLVED', occurrences: 2, resolved_at: expect.any(String) as string });
});

test('the same evaluation twice, or an older one, changes nothing', async () => {
  const rule = aRule();
  const bad = says('bad');
  const first = await step(rule, bad);
  expect((await step(rule, bad)).changes).toEqual([]);
  expect((await step(rule, says('good', bad.at - 5_000))).changes).toEqual([]);
  expect(await findFinding(db.database.query, first.finding!.finding_id)).toMatchObject({ state: 'FIRING', occurrences: 1 });
});

test('signals cannot be measured again: each that arrives counts', async () => {
  const rule = aRule({ source: 'signal' });
  const at = (clock += 1_000);
  for (let i = 0; i < 3; i += 1) await step(rule, says('bad', at), alone, 'arrived');
  const { finding } = await step(rule, says('good', at), alone, 'arrived');
  expect(finding).toMatchObject({ state: 'RESOLVED', occurrences: 3 });
});

test('twenty evaluators at once: one open finding, every evaluation at most once', async () => {
  const rule = aRule();
  const base = (clock += 1_000);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => step(rule, says('bad', base + (i % 10)))));
  expect(await count(rule)).toBe(1);
  expect(new Set(answers.map((answer) => answer.finding!.finding_id)).size).toBe(1);
  const [row] = await listFindings(db.database.query, {}, 1, null);
  expect(row!.occurrences).toBeLessThanOrEqual(10);
  expect((await events(row!.finding_id)).filter((event) => event.startsWith('finding.opened'))).toHaveLength(1);
});

test('the table itself refuses a second open finding of one fingerprint', async () => {
  const { finding } = await step(aRule(), says('bad'));
  await expect(db.database.query(
    `INSERT INTO findings (finding_id, fingerprint, rule_id, source, subsystem_id, severity, title, attributes, condition, condition_since, state, state_since,
       reason, occurrences, no_data, first_seen_at, last_seen_at, version)
     SELECT 'another', fingerprint, rule_id, source, subsystem_id, severity, title, attributes, condition, condition_since, state, state_since,
       reason, occurrences, no_data, first_seen_at, last_seen_at, version FROM findings WHERE finding_id = $1`, [finding!.finding_id])).rejects.toThrow('findings_open');
});

test('a transaction that fails leaves no evaluation behind', async () => {
  const rule = aRule();
  await expect(db.database.transaction(async (query) => {
    await evaluate(query, rule, says('bad'), alone);
    throw new Error('died');
  })).rejects.toThrow('died');
  expect(await count(rule)).toBe(0);
  expect((await step(rule, says('bad'))).changes).toEqual(['opened', 'fired']);
});

test('flapping is shown, heals nothing, is kept across findings, and ends', async () => {
  const rule = aRule();
  for (let i = 0; i < 4; i += 1) { await step(rule, says('bad')); await step(rule, says('good')); }
  const { finding, state } = await step(rule, says('bad'));
  expect(state.flapping).toBe(true);
  expect(finding).toMatchObject({ state: 'FLAPPING', condition: 'FIRING' });
  expect((await healable(db.database.query, clock)).map((one) => one.finding_id)).not.toContain(finding!.finding_id);
  expect(await count(rule)).toBe(5);
  let last = finding;
  for (let i = 0; i < 21 && last?.state === 'FLAPPING'; i += 1) last = (await step(rule, says('bad'))).finding;
  expect(last).toMatchObject({ state: 'FIRING' });
  expect((await healable(db.database.query, clock)).map((one) => one.finding_id)).toContain(finding!.finding_id);
});

test('no data keeps the condition and says so', async () => {
  const rule = aRule();
  await step(rule, says('bad'));
  const { finding, state } = await step(rule, says('no_data'));
  expect(finding).toMatchObject({ state: 'NO_DATA', condition: 'FIRING', no_data: 1 });
  expect(state.no_data).toBe(1);
  expect((await step(rule, says('bad'))).finding).toMatchObject({ state: 'FIRING', no_data: 0 });
});

describe('a silence and a failing parent', () => {
  const by = { id: 'anna', kind: 'person', role: 'operator', key_id: 'k' } as const;
  const silenceOf = (rule: WatchedRule) => addSilence(db.database, { matchers: { rule_id: rule.rule_id }, reason: 'known', until: new Date(Date.now() + 60_000).toISOString() }, by);

  test('take effect on an open finding, and stop', async () => {
    const rule = aRule();
    const { finding, fingerprint } = await step(rule, says('bad'));
    const again = async (inhibited_by: string | null) => db.database.transaction(async (query) =>
      resuppress(query, fingerprint, false, { inhibited_by, silences: await activeSilences(query) }, Date.now()));
    const silence = await silenceOf(rule);
    expect(await again(null)).toBe(true);
    expect(await again(null)).toBe(false);
    expect(await findFinding(db.database.query, finding!.finding_id)).toMatchObject({ state: 'SILENCED', silence_id: silence.silence_id });
    expect(await again('db')).toBe(true);
    await removeSilence(db.database, silence.silence_id, by);
    expect(await again('db')).toBe(true);
    expect(await again(null)).toBe(true);
    expect(await events(finding!.finding_id)).toEqual([
      'finding.opened >FIRING', 'finding.state_changed FIRING>SILENCED', 'finding.state_changed SILENCED>INHIBITED', 'finding.state_changed INHIBITED>FIRING',
    ]);
  });

  test('are there from the start for a new finding, which then asks for no healing', async () => {
    const rule = aRule();
    await silenceOf(rule);
    const silenced = await step(rule, says('bad'), { inhibited_by: null, silences: await activeSilences(db.database.query) });
    const inhibited = await step(aRule(), says('bad'), { inhibited_by: 'db', silences: [] });
    expect(silenced.finding?.state).toBe('SILENCED');
    expect(inhibited.finding).toMatchObject({ state: 'INHIBITED', inhibited_by: 'db' });
    const ids = (await healable(db.database.query, clock)).map((one) => one.finding_id);
    expect(ids).not.toContain(silenced.finding!.finding_id);
    expect(ids).not.toContain(inhibited.finding!.finding_id);
  });
});

describe('healing', () => {
  test('is asked for what fires with a symptom, once, and after a while again where nobody came', async () => {
    const { finding } = await step(aRule(), says('bad'));
    const { finding: silent } = await step(aRule({ symptom: null }), says('bad'));
    const { finding: pending } = await step(aRule({ for_seconds: 600 }), says('bad'));
    const ids = async (now: number): Promise<string[]> => (await healable(db.database.query, now)).map((one) => one.finding_id);
    expect(await ids(clock)).toContain(finding!.finding_id);
    expect(await ids(clock)).not.toContain(silent!.finding_id);
    expect(await ids(clock)).not.toContain(pending!.finding_id);
    await noteHealingAsked(db.database.query, finding!.finding_id, null, clock);
    expect(await ids(clock + 1_000)).not.toContain(finding!.finding_id);
    expect(await ids(clock + 301_000)).toContain(finding!.finding_id);
    await noteHealingAsked(db.database.query, finding!.finding_id, 'MC-1', clock);
    await noteHealingAsked(db.database.query, finding!.finding_id, 'MC-2', clock);
    expect(await ids(clock + 301_000)).not.toContain(finding!.finding_id);
    expect(await findFinding(db.database.query, finding!.finding_id)).toMatchObject({ healing_mission_id: 'MC-1' });
  });

  test('what fires again after it was healed has recurred', async () => {
    const rule = aRule();
    const { finding } = await step(rule, says('bad'));
    await noteHealingAsked(db.database.query, finding!.finding_id, 'MC-7', clock);
    await step(rule, says('good'));
    const again = await step(rule, says('bad'));
    expect(again.finding!.finding_id).not.toBe(finding!.finding_id);
    expect(await events(again.finding!.finding_id)).toEqual(['finding.opened >FIRING', 'finding.recurred >FIRING']);
    expect(await events(finding!.finding_id)).toEqual(['finding.opened >FIRING', 'finding.resolved FIRING>RESOLVED']);
  });
});

test('a storm counts what began to fire lately, without what a parent explains', async () => {
  const now = Date.now();
  const before = await stormFigures(db.database.query, now + 1_000);
  for (let i = 0; i < 3; i += 1) await step(aRule(), says('bad', now));
  await step(aRule(), says('bad', now), { inhibited_by: 'db', silences: [] });
  await step(aRule(), says('good', now));
  const after = await stormFigures(db.database.query, now + 1_000);
  expect(after.begun - before.begun).toBe(3);
  expect(after.targets - before.targets).toBe(5);
});

test('lists by state, subsystem and openness, a page after the other', async () => {
  const subsystem_id = `s-${randomUUID()}`;
  const rules = Array.from({ length: 5 }, () => aRule({ subsystem_id }));
  for (const rule of rules) await step(rule, says('bad'));
  await step(rules[0]!, says('good'));
  const list = (filter: object, limit = 50, before: number | null = null) => listFindings(db.database.query, { subsystem_id, ...filter }, limit, before);
  expect(await list({ open: true })).toHaveLength(4);
  expect(await list({ open: false })).toMatchObject([{ rule_id: rules[0]!.rule_id }]);
  expect(await list({ state: 'FIRING' })).toHaveLength(4);
  const first = await list({}, 2);
  const second = await list({}, 50, first.at(-1)!.created_seq);
  expect([...first, ...second].map((one) => one.rule_id)).toEqual([...rules].reverse().map((rule) => rule.rule_id));
});
