import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { canBecome, missionStatuses, type MissionStatus } from '../../src/domain/mission.ts';
import { sayingOf, type MissionRecord } from '../../src/domain/record.ts';
import { timelineOf } from '../../src/store/events.ts';
import { abortUnstarted, applyRecord, findMission, requestExecution, stagesOf, unstartedMissions } from '../../src/store/missions.ts';
import type { Repository } from '../../src/store/repositories.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { aMission, aRepository, event, record, stage } from './fixtures.ts';

let db: TestDatabase;
let repository: Repository;
let id: string;
beforeAll(async () => {
  db = await copyDatabase();
  repository = await aRepository(db.database);
});
afterAll(() => db.drop());
beforeEach(async () => { id = await aMission(db.database, repository); });

const apply = (one: MissionRecord) => db.database.transaction((query) => applyRecord(query, one, sayingOf(one, null)));
const mission = async () => (await findMission(db.database.query, id))!;
const note = (key: string) => event({ type: 'mission.status_changed', subject: { ...event().subject, mission_id: id }, idempotency_key: `${id}:${key}` });
/** Everything that is stored about the mission. */
const everything = async () => [await mission(), await stagesOf(db.database.query, id), await timelineOf(db.database.query, id, 100)];

test('a record writes state, stages and events together', async () => {
  const waiting = { kind: 'approval' as const, reason: 'why', who: 'anna', since: '2025-01-10T12:00:00.000Z', deadline: null, on_deadline: null };
  const context = { git_sha: 'c0ffee', git_tree: null, config_hash: null, env: null, branch: null, version: null };
  const remediation = [{ at: '2025-01-10T12:00:00.000Z', action: 'patch 1', result: 'tests failed' }];
  expect(await apply(record(id, 1, {
    state: { status: 'in_progress', stage: 'run_tests', progress: 27, waiting_on: waiting, started_at: '2025-01-10T12:00:00.000Z' },
    context, remediation, stages: [stage()], events: [note('started')],
  }))).toBe('written');
  expect(await mission()).toMatchObject({
    status: 'in_progress', stage: 'run_tests', progress: 27, waiting_on: waiting, context, remediation_history: remediation,
    started_at: '2025-01-10T12:00:00.000Z', landed_commit: null, paused: false,
  });
  expect(await stagesOf(db.database.query, id)).toEqual([stage()]);
  expect(await timelineOf(db.database.query, id, 10)).toMatchObject([{ idempotency_key: `${id}:started` }]);
});

test('what a record does not mention keeps its value, and null clears it', async () => {
  const waiting = { kind: 'operator' as const, reason: 'why', who: 'anna', since: '2025-01-10T12:00:00.000Z', deadline: null, on_deadline: null };
  await apply(record(id, 1, { state: { status: 'in_progress', progress: 50, waiting_on: waiting } }));
  await apply(record(id, 2, { state: { paused: true } }));
  expect(await mission()).toMatchObject({ status: 'in_progress', progress: 50, waiting_on: waiting, paused: true });
  await apply(record(id, 3, { state: { waiting_on: null } }));
  expect(await mission()).toMatchObject({ waiting_on: null, paused: true });
});

test('a record that is written again changes nothing', async () => {
  const one = record(id, 1, { state: { status: 'in_progress' }, stages: [stage()], events: [note('started')] });
  expect(await apply(one)).toBe('written');
  const before = await everything();
  expect(await apply(one)).toBe('unchanged');
  expect(await everything()).toEqual(before);
});

test('an older record that arrives late changes nothing: no state, no stage, no event', async () => {
  await apply(record(id, 2, { state: { status: 'in_progress', progress: 60 }, stages: [stage({ status: 'passed' })], events: [note('two')] }));
  const before = await everything();
  expect(await apply(record(id, 1, { state: { progress: 10 }, stages: [stage({ status: 'failed' })], events: [note('one')] }))).toEqual({ last: 2 });
  expect(await everything()).toEqual(before);
});

test('a record made again at another time is the same record', async () => {
  const made = (at: string, sha256: string): MissionRecord => record(id, 1, {
    state: { status: 'in_progress', started_at: at, ended_reason: `no report since ${at}` },
    stages: [stage({ started_at: at, duration_ms: Date.parse(at) % 1_000, evidence: [{ kind: 'approval', sha256, media_type: 'application/json', size_bytes: 3, summary: at }] })],
    events: [note('started')],
  });
  expect(await apply(made('2025-01-10T12:00:00.001Z', 'ab'))).toBe('written');
  const before = await everything();
  expect(await apply(made('2025-01-10T12:00:07.123Z', 'cd'))).toBe('unchanged');
  expect(await everything()).toEqual(before);
});

test('a record under whose number something else is written is told so, and writes nothing', async () => {
  for (const [seq, progress] of [[1, 10], [2, 20], [3, 30]] as const) await apply(record(id, seq, { state: { status: 'in_progress', progress } }));
  const before = await everything();
  expect(await apply(record(id, 2, { state: { paused: true }, events: [note('paused')] }))).toEqual({ last: 3 });
  expect(await apply(record(id, 2, { state: { status: 'in_progress', progress: 20 } }))).toBe('unchanged');
  expect(await everything()).toEqual(before);
});

test('a whole record takes the place of what a lost task wrote, whatever the status was, and of the memory of it', async () => {
  await apply(record(id, 1, { state: { status: 'in_progress' }, stages: [stage()] }));
  await apply(record(id, 2, { state: { status: 'escalated' }, stages: [stage({ status: 'failed' }), stage({ name: 'stress_tests' })], events: [note('lost')] }));
  expect(await apply(record(id, 3, { whole: true, state: { status: 'in_progress', paused: true }, stages: [stage()], events: [note('paused')] }))).toBe('written');
  expect(await mission()).toMatchObject({ status: 'in_progress', paused: true });
  expect(await stagesOf(db.database.query, id)).toEqual([stage()]);
  // What was told is told: the ledger takes nothing back.
  expect((await timelineOf(db.database.query, id, 10)).map((one) => one.idempotency_key)).toEqual([`${id}:lost`, `${id}:paused`]);
  expect(await apply(record(id, 2, { state: { status: 'escalated' }, stages: [stage({ status: 'failed' }), stage({ name: 'stress_tests' })], events: [note('lost')] }))).toEqual({ last: 3 });
});

test('a mission that was last written before records were remembered leaves an old number alone', async () => {
  await apply(record(id, 5, { state: { status: 'in_progress' } }));
  await db.database.query("UPDATE missions SET recent_records = '{}' WHERE mission_id = $1", [id]);
  expect(await apply(record(id, 5, { state: { paused: true } }))).toBe('unchanged');
  expect(await apply(record(id, 6, { state: { paused: true } }))).toBe('written');
});

test('of the same record written ten times at once, one is', async () => {
  const one = record(id, 1, { state: { status: 'in_progress' }, stages: [stage()], events: [note('started')] });
  const written = await Promise.all(Array.from({ length: 10 }, () => apply(one)));
  expect(['written', 'unchanged'].map((one) => written.filter((result) => result === one).length)).toEqual([1, 9]);
  expect(await timelineOf(db.database.query, id, 10)).toHaveLength(1);
});

/** The shortest way to a status. */
const wayTo: Record<MissionStatus, MissionStatus[]> = {
  open: [], in_progress: ['in_progress'], observing: ['in_progress', 'observing'], resolved: ['in_progress', 'resolved'],
  escalated: ['in_progress', 'escalated'], aborted: ['aborted'],
};
test.each(missionStatuses.flatMap((from) => missionStatuses.map((to) => [from, to] as const)))(
  'a mission that is %s is told to be %s', async (from, to) => {
    let seq = 0;
    for (const status of wayTo[from]) expect(await apply(record(id, seq += 1, { state: { status } }))).toBe('written');
    const before = await everything();
    const changed = await apply(record(id, seq + 1, { state: { status: to }, stages: [stage()], events: [note('change')] }));
    expect(changed).toBe(canBecome(from, to) ? 'written' : 'unchanged');
    expect((await mission()).status).toBe(canBecome(from, to) ? to : from);
    if (changed === 'unchanged') expect(await everything()).toEqual(before);
  });

test('a stage is updated in place, its next attempt stands beside it', async () => {
  const ended = stage({ status: 'failed', ended_at: '2025-01-10T12:00:05.000Z', duration_ms: 5_000, reason: 'adds failed',
    evidence: [{ kind: 'log', sha256: 'ab', media_type: 'text/plain', size_bytes: 3, summary: 'output' }] });
  const again = stage({ attempt: 2, started_at: '2025-01-10T12:00:06.000Z' });
  await apply(record(id, 1, { stages: [stage()] }));
  await apply(record(id, 2, { stages: [ended, again] }));
  expect(await stagesOf(db.database.query, id)).toEqual([ended, again]);
});

test('a record of a mission that is not there is an error, not one that was written before, and writes nothing', async () => {
  const key = note('ghost');
  await expect(apply(record('mission_20250110_999', 1, { stages: [stage()], events: [key] }))).rejects.toThrow('mission_20250110_999 is no mission of this database');
  expect(await db.database.query('SELECT 1 FROM events WHERE idempotency_key = $1', [key.idempotency_key])).toEqual([]);
});

test('a test name that PostgreSQL cannot hold does not keep its mission from being written', async () => {
  const bad = 'test failed: a\0b \ud83d';
  await apply(record(id, 1, {
    state: { status: 'in_progress', ended_reason: bad }, remediation: [{ at: '2025-01-10T12:00:00.000Z', action: bad, result: bad }],
    stages: [stage({ reason: bad, evidence: [{ kind: 'log', sha256: 'ab', media_type: 'text/plain', size_bytes: 3, summary: bad }] })],
    events: [{ ...note('bad'), payload: { reason: bad } }],
  }));
  const readable = 'test failed: a\uFFFDb \uFFFD';
  expect(await mission()).toMatchObject({ ended_reason: readable, remediation_history: [{ action: readable }] });
  expect(await stagesOf(db.database.query, id)).toMatchObject([{ reason: readable, evidence: [{ summary: readable }] }]);
  expect(await timelineOf(db.database.query, id, 10)).toMatchObject([{ payload: { reason: readable } }]);
});

test('a mission is asked for once, and waits to be started until it is', async () => {
  const waiting = async (): Promise<string[]> => (await unstartedMissions(db.database.query, 100)).map((one) => one.mission_id);
  expect(await waiting()).not.toContain(id);
  expect(await requestExecution(db.database.query, id)).toBe(true);
  expect(await requestExecution(db.database.query, id)).toBe(false);
  expect(await waiting()).toContain(id);
  await apply(record(id, 1, { state: { status: 'in_progress' } }));
  expect(await waiting()).not.toContain(id);
});

test('a mission that nobody asked for can be ended without a workflow; one that was asked for cannot', async () => {
  expect(await abortUnstarted(db.database.query, id, 'not needed')).toBe(true);
  expect(await mission()).toMatchObject({ status: 'aborted', outcome: 'cancelled', ended_reason: 'not needed', ended_at: expect.any(String) });
  expect(await abortUnstarted(db.database.query, id, 'again')).toBe(false);
  expect(await requestExecution(db.database.query, id)).toBe(false);
  const asked = await aMission(db.database, repository);
  await requestExecution(db.database.query, asked);
  expect(await abortUnstarted(db.database.query, asked, 'too late')).toBe(false);
});
