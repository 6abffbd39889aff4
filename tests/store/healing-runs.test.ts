/** Runs of playbooks as limits and hindsight see them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WatchedRule } from '../../src/domain/finding-record.ts';
import type { RunHistory } from '../../src/domain/healing.ts';
import { evaluate, fingerprintOf } from '../../src/store/findings.ts';
import { noteHealingAsked } from '../../src/store/finding-list.ts';
import { endRun, startRun, type HealingRun } from '../../src/store/healing-runs.ts';
import { insertMission, newMissionId } from '../../src/store/missions.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { aRepository, missionPackage } from './fixtures.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const aRule = (): WatchedRule => ({
  rule_id: `probe:${randomUUID()}`, source: 'probe', subsystem_id: 'shop', resource_id: 'web', symptom: 'service_down', playbook_id: null,
  title: 'it fails', attributes: {}, severity: 'high', for_seconds: 0, keep_firing_for_seconds: 0,
});
const look = (rule: WatchedRule, outcome: 'bad' | 'good') => db.database.transaction((query) =>
  evaluate(query, rule, { outcome, value: 1, at: Date.now(), reason: outcome }, { inhibited_by: null, silences: [] }, 'arrived'));

async function aRun(more: Partial<HealingRun> = {}): Promise<HealingRun> {
  const repository = await aRepository(db.database);
  const mission_id = await db.database.transaction(async (query) => {
    const id = await newMissionId(query, new Date());
    await insertMission(query, missionPackage(id, repository), true);
    return id;
  });
  return {
    mission_id, attempt: 1, playbook_id: `p-${randomUUID()}`, playbook_version: 1, subsystem_id: 'shop', resource_id: 'web', fingerprint: randomUUID(),
    plan_digest: null, ...more,
  };
}
const start = (run: HealingRun, refusalOf: (history: RunHistory) => string | null = () => null): Promise<string | null> =>
  db.database.transaction((query) => startRun(query, run, refusalOf));
const end = (run: HealingRun): Promise<void> => db.database.transaction((query) => endRun(query, run.mission_id, run.attempt, 'effective', 'well', 3_600));
const outcomeOf = async (run: HealingRun): Promise<string | undefined> =>
  (await db.database.query<{ outcome: string }>('SELECT outcome FROM healing_runs WHERE mission_id = $1', [run.mission_id]))[0]?.outcome;

test('a symptom that came back while its run was still watched makes the run ineffective as soon as it ends', async () => {
  const rule = aRule();
  const { finding } = await look(rule, 'bad');
  const run = await aRun({ fingerprint: fingerprintOf(rule) });
  await noteHealingAsked(db.database.query, finding!.finding_id, run.mission_id, Date.now());
  await start(run);
  await look(rule, 'good');
  await new Promise((resolve) => { setTimeout(resolve, 10); });
  await look(rule, 'bad');
  await end(run);
  expect(await outcomeOf(run)).toBe('ineffective');
  const noted = await db.database.query(`SELECT 1 FROM events WHERE idempotency_key = $1`, [`${run.mission_id}:run:1:ineffective`]);
  expect(noted).toHaveLength(1);
});

test('a symptom that is over when its run ends leaves it effective', async () => {
  const rule = aRule();
  await look(rule, 'bad');
  const run = await aRun({ fingerprint: fingerprintOf(rule) });
  await start(run);
  await look(rule, 'good');
  await end(run);
  expect(await outcomeOf(run)).toBe('effective');
});

test('of runs that begin at once, as many begin as may', async () => {
  const playbook_id = `p-${randomUUID()}`;
  const runs = await Promise.all(['a', 'b', 'c'].map((resource_id) => aRun({ playbook_id, resource_id })));
  const answers = await Promise.all(runs.map((run) => start(run, ({ busy_targets }) => (busy_targets >= 1 ? 'MAX_TARGETS' : null))));
  expect(answers.filter((answer) => answer === null)).toHaveLength(1);
  expect((await Promise.all(runs.map(outcomeOf))).filter((outcome) => outcome === 'running')).toHaveLength(1);
  const begun = runs[answers.indexOf(null)]!;
  // The answer was lost on its way: the second try finds it begun.
  expect(await start(begun, () => 'no')).toBeNull();
});
