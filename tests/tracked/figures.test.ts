import { afterAll, beforeAll, expect, test } from 'vitest';
import { dashboardMetrics, metricsHistory } from '../../src/store/dashboard-metrics.ts';
import { aMission, aRepository } from '../store/fixtures.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const noon = Date.parse('2026-01-10T12:00:00Z');
const at = (minutes: number): string => new Date(noon + minutes * 60_000).toISOString();
interface Life { created: number; started?: number; ended?: number; status: string; tokens?: number; cost?: number; unreported?: number }
async function lived({ created, started, ended, status, tokens = 0, cost = 0, unreported = 0 }: Life): Promise<void> {
  const id = await aMission(db.database, await aRepository(db.database), { created_at: at(created) });
  await db.database.query(
    'UPDATE missions SET started_at = $2, ended_at = $3, status = $4, tokens = $5, cost_micro_usd = $6, usage_unreported = $7 WHERE mission_id = $1',
    [id, started === undefined ? null : at(started), ended === undefined ? null : at(ended), status, tokens, cost, unreported]);
}

test('what nobody reported is null, and a 0 that was reported is 0; the past is what it was then', async () => {
  const { query } = db.database;
  expect(await dashboardMetrics(query)).toEqual({
    total_missions: 0, completed_missions: 0, failed_missions: 0, running_missions: 0, average_duration: null, success_rate: null, total_tokens: null, total_cost: null,
  });
  await lived({ created: 0, started: 1, ended: 3, status: 'resolved', unreported: 1 });
  await lived({ created: 0, started: 2, status: 'in_progress' });
  expect(await dashboardMetrics(query)).toMatchObject({ average_duration: 120, success_rate: 50, total_tokens: null, total_cost: null });
  await lived({ created: 4, started: 4, ended: 5, status: 'escalated' });
  expect(await dashboardMetrics(query)).toMatchObject({ total_tokens: 0, total_cost: 0 });
  await lived({ created: 6, started: 6, ended: 10, status: 'resolved', tokens: 7, cost: 250_000 });
  await lived({ created: 6, ended: 7, status: 'aborted' });
  expect(await dashboardMetrics(query)).toEqual({
    total_missions: 5, completed_missions: 2, failed_missions: 1, running_missions: 1, average_duration: 180, success_rate: 40, total_tokens: 7, total_cost: 0.25,
  });
  const moments = [-1, 2.5, 3.5, 5.5, 9, 11].map((minutes) => Date.parse(at(minutes)));
  const history = await metricsHistory(query, moments);
  expect(history.map((one) => [one.total_missions, one.completed_missions, one.failed_missions, one.running_missions, one.average_duration, one.total_tokens])).toEqual([
    [0, 0, 0, 0, null, null], [2, 0, 0, 2, null, null], [2, 1, 0, 1, 120, null], [3, 1, 1, 1, 120, 0], [5, 1, 1, 2, 120, 0], [5, 2, 1, 1, 180, 7],
  ]);
  const { timestamp, ...last } = history.at(-1)!;
  expect(timestamp).toBe(at(11));
  expect(last).toEqual(await dashboardMetrics(query));
});
