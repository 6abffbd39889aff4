import { afterAll, beforeAll, expect, test } from 'vitest';
import { firstMissionFor, queuedMissions, queueLines } from '../../src/store/agent-queue.ts';
import type { Query } from '../../src/store/database.ts';
import { outcomesOf } from '../../src/store/trust.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { aMission, aRepository } from './fixtures.ts';

const queued = 10_000;
let db: TestDatabase;
beforeAll(async () => {
  db = await copyDatabase();
  const repository = await aRepository(db.database);
  const model = await aMission(db.database, repository, { assigned_to: 'somebody' });
  // As many that wait for somebody else, five times as many that ended, and at the very end one for everybody.
  await db.database.query(
    `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, assigned_to, labels, repository_id, status, outcome, context, created_by, created_at, updated_at, ended_at)
     SELECT 'mission_20200101_' || to_char(n, 'FM000000'), package, mission_type, subsystem_id, severity, severity_rank, assigned_to, labels, repository_id,
            CASE WHEN n <= $2 THEN 'open' ELSE 'resolved' END, CASE WHEN n > $2 THEN 'landed' END, context, created_by, created_at, updated_at,
            CASE WHEN n > $2 THEN now() END
       FROM missions, generate_series(1, $2 * 6) n WHERE mission_id = $1`, [model, queued]);
  await aMission(db.database, repository, { severity: 'low', assigned_to: null });
  await db.database.query('ANALYZE missions');
});
afterAll(() => db.drop());

/** The plans of what `work` asks. */
async function plansOf(work: (query: Query) => Promise<unknown>): Promise<string> {
  const plans: string[] = [];
  await work(async <Row>(text: string, params: readonly unknown[] = []) => {
    const rows = await db.database.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, [...params]);
    plans.push(...rows.map((row) => row['QUERY PLAN']));
    return db.database.query<Row>(text, [...params]);
  });
  return plans.join('\n');
}

test('the head of a queue of 10,000, and what is for one agent behind all of it, are read from the queue\'s own index', async () => {
  for (const need of ['any', 'patch'] as const) {
    const head = await plansOf((query) => queuedMissions(query, need, 20));
    const behind = await plansOf((query) => firstMissionFor(query, need, { id: 'newcomer', role: null, score: 0.1 }));
    for (const plan of [head, behind]) {
      expect(plan).toContain(need === 'any' ? 'missions_for_agents' : 'missions_for_patches');
      expect(plan).not.toContain('Seq Scan on missions');
    }
    expect(head, 'in its order').not.toContain('Sort');
  }
  expect(await firstMissionFor(db.database.query, 'patch', { id: 'newcomer', role: null, score: 0.1 })).toMatchObject({ severity: 'low', assigned_to: null });
  expect(await queuedMissions(db.database.query, 'patch', 20)).toHaveLength(20);
  expect(await queueLines(db.database.query, 3)).toMatchObject([{ state: 'not_started' }, {}, {}]);
});

test('an agent\'s trust is read from an index of who worked on what', async () => {
  expect(await plansOf((query) => outcomesOf(query, 'newcomer'))).toContain('missions_by_worker');
});
