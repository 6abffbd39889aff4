import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { call, changingNothing, expectProblem, keyFor, type Answer } from '../support/http.ts';
import { calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let operator: string;
let agent: string;
let repository: TestRepository;
beforeAll(async () => {
  system = await startSystem();
  operator = await keyFor(system, 'operator', 'operator');
  agent = await keyFor(system, 'sender', 'agent');
});
beforeEach(() => { repository = system.repository(calculator); });
afterAll(() => system.stop());

async function create(more: Record<string, unknown> = {}): Promise<string> {
  const answer = await call(system.url, '/mission-control/missions', { key: agent, json: { ...missionBody(repository, [repository.diff(fixedAdd)]), ...more } });
  expect(answer.status, answer.text).toBe(201);
  return String(answer.body['mission_id']);
}
const steer = (id: string, verb: string, json: unknown = {}): Promise<Answer> =>
  call(system.url, `/mission-control/missions/${id}/${verb}`, { key: operator, json });
const execute = (id: string, json?: unknown): Promise<Answer> =>
  call(system.url, `/mission-control/missions/${id}/execute`, { key: agent, method: 'POST', ...(json === undefined ? {} : { json }) });
const isRunning = (id: string): Promise<boolean> => system.temporal.workflow.getHandle(id).describe().then(() => true, () => false);
const eventsOf = (id: string, type: string) => system.db.database.query('SELECT 1 FROM events WHERE mission_id = $1 AND type = $2', [id, type]);

describe('execute', () => {
  test('twice, and twelve times at once, gives one start and the same answer', async () => {
    const id = await create();
    const answers = await Promise.all(Array.from({ length: 12 }, () => execute(id)));
    answers.push(await execute(id), await execute(id, {}), await execute(id, { mission_type: 'coding' }));
    for (const answer of answers) expect(answer.status, answer.text).toBe(202);
    expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    expect(await eventsOf(id, 'mission.execute_requested')).toHaveLength(1);
    expect(await isRunning(id)).toBe(true);
  });

  test('as another type is refused and starts nothing', async () => {
    const id = await create();
    await changingNothing(system.db.database, async () => {
      expectProblem(await execute(id, { mission_type: 'healing' }), 409, 'MISSION_TYPE_CONFLICT', 'mission_type');
      expectProblem(await execute(id, { mission_type: 'x' }), 400, 'INVALID_REQUEST', 'mission_type');
      expectProblem(await execute(id, { force: true }), 400, 'UNKNOWN_FIELD', 'force');
    });
    expect(await isRunning(id)).toBe(false);
  });
});

describe('a mission that was never started', () => {
  test('is aborted at once, without a worker, and stays so', async () => {
    const id = await create();
    const answer = await steer(id, 'abort', { reason: 'not needed' });
    expect(answer.status, answer.text).toBe(202);
    expect(answer.body).toEqual({ mission_id: id, takes_effect: 'at once' });
    expect(await system.mission(id)).toMatchObject({ status: 'aborted', outcome: 'cancelled', ended_reason: 'not needed' });
    expectProblem(await execute(id), 409, 'MISSION_ENDED');
    expectProblem(await steer(id, 'abort', { reason: 'again' }), 409, 'MISSION_ENDED');
    expect(await isRunning(id)).toBe(false);
  });

  test('cannot be paused, resumed or retried', async () => {
    const id = await create();
    await changingNothing(system.db.database, async () => {
      for (const verb of ['pause', 'resume', 'retry']) expectProblem(await steer(id, verb), 409, 'MISSION_NOT_RUNNING');
      expectProblem(await steer(id, 'abort'), 400, 'INVALID_REQUEST', 'reason');
      expectProblem(await steer(id, 'pause', { mode: 'later' }), 400, 'INVALID_REQUEST', 'mode');
    });
  });

  test('executed and aborted in one moment is either running or aborted, never both', async () => {
    for (const first of ['abort', 'execute']) {
      const id = await create();
      // Both have read that the mission is open, and queue for its row, in this order.
      const gate = await system.db.database.pool.connect();
      await gate.query('BEGIN');
      await gate.query('SELECT 1 FROM missions WHERE mission_id = $1 FOR UPDATE', [id]);
      const abort = (): Promise<Answer> => steer(id, 'abort', { reason: 'race' });
      const asked = first === 'abort' ? [abort()] : [execute(id)];
      await expect.poll(queueing).toBe(1);
      asked.push(first === 'abort' ? execute(id) : abort());
      await expect.poll(queueing).toBe(2);
      await gate.query('COMMIT');
      gate.release();
      const [one, two] = await Promise.all(asked) as [Answer, Answer];

      expect(one.status, one.text).toBe(202);
      const { status } = await system.mission(id);
      expect(status).toBe(first === 'abort' ? 'aborted' : 'open');
      expect(await isRunning(id)).toBe(first !== 'abort');
      if (first === 'abort') expectProblem(two, 409, 'MISSION_ENDED');
      // Asked for but not yet started, or started with nobody to read the message: refused either way.
      else expect([two.status, two.body['code']]).toEqual(two.status === 409 ? [409, 'MISSION_NOT_RUNNING'] : [503, 'WORKER_UNAVAILABLE']);
    }
  });
});

async function queueing(): Promise<number> {
  const [row] = await system.db.database.query<{ count: number }>(
    "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
  return row?.count ?? 0;
}

describe('a mission that runs while no worker is there', () => {
  test('is not steered: 503 within 5 s, and the worker that comes later steers nothing either', async () => {
    const id = await create({ execute: true });
    const started = Date.now();
    const answers = await Promise.all([steer(id, 'pause', { mode: 'now' }), steer(id, 'pause'), steer(id, 'abort', { reason: 'stop' }), steer(id, 'resume')]);
    const took = Date.now() - started;
    for (const answer of answers) {
      expectProblem(answer, 503, 'WORKER_UNAVAILABLE');
      expect(answer.headers.get('retry-after')).toBe('5');
    }
    expect(took).toBeGreaterThan(4_000);
    expect(took).toBeLessThan(15_000);

    await system.startWorker();
    try {
      const mission: MissionDetail = await system.whenEnded(id);
      expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed', paused: false });
      for (const type of ['mission.paused', 'mission.abort_requested', 'mission.resumed']) expect(await eventsOf(id, type), type).toEqual([]);
    } finally {
      await system.stopWorker();
    }
  });
});

describe('a mission that has ended', () => {
  test('is not started again by its Idempotency-Key, even when Temporal has forgotten it', async () => {
    const send = () => call(system.url, '/mission-control/missions', {
      key: agent, json: { ...body, execute: true }, headers: { 'idempotency-key': 'once' },
    });
    const body = missionBody(repository, [repository.diff(fixedAdd)]);
    const id = String((await send()).body['mission_id']);
    await system.startWorker();
    try {
      expect((await system.whenEnded(id)).status).toBe('resolved');
    } finally {
      await system.stopWorker();
    }
    // What retention does after its days.
    await system.temporal.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution: { workflowId: id } });
    await system.until(async () => !(await isRunning(id)));
    const again = await send();
    expect(again.status).toBe(201);
    expect(again.body).toMatchObject({ mission_id: id, status: 'resolved' });
    expect(await isRunning(id)).toBe(false);
    expectProblem(await execute(id), 409, 'MISSION_ENDED');
  });
});
