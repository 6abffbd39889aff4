/** F1, F11: the api killed around a commit, connections reset in the middle of one, a slow database. */
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventType, StoredEvent } from '../../src/domain/event.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { expectOneCleanLanding } from '../support/aftermath.ts';
import { launchBehindProxies, type BehindProxies } from '../support/behind-proxies.ts';
import { createCrashMission, doors } from '../support/crash-mission.ts';
import { call } from '../support/http.ts';
import { engineOf, eventually, identities, killHard, missionEnd, restarted } from '../support/launched.ts';
import { calculator, fixedAdd, makeRepository } from '../support/repository.ts';
import { missionBody } from '../support/system.ts';
import { withClient } from '../support/turnstile.ts';

let proxied: BehindProxies;
let key: string;
let temporal: Client;
beforeAll(async () => {
  proxied = await launchBehindProxies();
  temporal = await engineOf(proxied.system.launched);
  ({ key } = await proxied.system.launched.api().post<{ key: string }>('/mission-control/keys', { principal_id: 'client', kind: 'person', role: 'operator' }));
}, 240_000);
afterAll(async () => {
  await temporal.connection.close();
  await proxied.close();
}, 60_000);

function newBody(): Record<string, unknown> {
  const repository = makeRepository(`${proxied.system.launched.home}/repositories`, calculator);
  return { ...missionBody(repository, [repository.diff(fixedAdd)]), execute: true };
}
const create = (idempotencyKey: string, json: unknown) =>
  call(proxied.system.launched.run().api_url, '/mission-control/missions', { key, json, headers: { 'idempotency-key': idempotencyKey } });

/** As a client does: the same request again until it is answered. */
const createSurely = (idempotencyKey: string, json: unknown): Promise<string> => eventually(async () => {
  const answer = await create(idempotencyKey, json);
  return answer.status === 201 ? String(answer.body['mission_id']) : undefined;
});

const detail = (id: string) => proxied.system.launched.api().get<MissionDetail>(`/mission-control/missions/${id}`);

async function told(id: string, type: EventType): Promise<StoredEvent[]> {
  const { items } = await proxied.system.launched.api().get<{ items: StoredEvent[] }>(`/mission-control/missions/${id}/timeline`);
  return items.filter((event) => event.type === type);
}

const missionsOf = (title: string): Promise<string[]> => withClient(proxied.system.databaseUrl(), async (client) =>
  (await client.query<{ mission_id: string }>("SELECT mission_id FROM missions WHERE package->>'title' = $1", [title])).rows.map((row) => row.mission_id));

const commits = [['before', 'the database has heard of it'], ['after', 'the database has carried it out']] as const;

test.each(commits)('F1: the api killed around the commit of a new mission, %s %s: asked again with the same key, there is one', async (when) => {
  const name = `killed ${when} the commit`;
  const body = { ...newBody(), title: name };
  const held = proxied.toDatabase.holdCommitOf('INSERT INTO idempotency_keys', when);
  const first = create(name, body).catch(() => undefined);
  const connection = await held;
  const before = identities(proxied.system.launched).api;
  await killHard(before);
  connection.reset();
  expect(await first).toBeUndefined();
  await restarted(proxied.system.launched, 'api', before);
  const id = await createSurely(name, body);
  expect(await missionsOf(name)).toEqual([id]);
  expect(await missionEnd(proxied.system.launched, id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(await createSurely(name, body)).toBe(id);
}, 120_000);

test.each(commits)('F11: the connection reset in the commit of a new mission, %s %s: 503, and asked again there is one', async (when) => {
  const name = `reset ${when} the commit`;
  const body = { ...newBody(), title: name };
  const held = proxied.toDatabase.holdCommitOf('INSERT INTO idempotency_keys', when);
  const first = create(name, body);
  (await held).reset();
  const answer = await first;
  expect([answer.status, answer.body['code']]).toEqual([503, 'DATABASE_UNAVAILABLE']);
  const id = await createSurely(name, body);
  expect(await missionsOf(name)).toEqual([id]);
  expect(await missionEnd(proxied.system.launched, id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
}, 120_000);

test.each(commits)('F11: the connection reset in the commit of a record of the worker, %s %s: written once', async (when) => {
  await proxied.landing(async (mission) => {
    const held = proxied.toDatabase.holdCommitOf('UPDATE missions SET', when);
    mission.open('tests');
    (await held).reset();
  });
}, 120_000);

test('a worker killed between a record and the end of its task, and a pause that comes first: both are written, nothing twice', async () => {
  let id = '';
  await proxied.landing(async (mission) => {
    id = mission.mission_id;
    const held = proxied.toDatabase.holdCommitOf('UPDATE missions SET', 'after');
    mission.open('tests');
    const connection = await held;
    const before = identities(proxied.system.launched).worker;
    await killHard(before);
    connection.reset();
    const operator = await proxied.system.person('operator', 'operator');
    // Sent while nobody takes tasks: it is there when the lost one is done again.
    await operator.post(`/mission-control/missions/${id}/pause`, { reason: 'wait for me' });
    await eventually(async () => (await detail(id)).waiting_on?.kind === 'pause');
    expect(await detail(id)).toMatchObject({ paused: true, waiting_on: { reason: 'paused before stress_tests' } });
    await operator.post(`/mission-control/missions/${id}/resume`, {});
  });
  const [paused, next] = [await told(id, 'mission.paused'), (await told(id, 'stage.started')).find(({ subject }) => subject.stage === 'stress_tests')!];
  expect(paused).toHaveLength(1);
  // The lost task had told of the next stage before the pause was there.
  expect(next.event_id < paused[0]!.event_id).toBe(true);
}, 240_000);

test('an approval is in the history before it is in a record: its worker killed between the two, it counts, and is told once', async () => {
  const mission = await createCrashMission(proxied.system);
  await mission.execute();
  for (const door of Object.values(doors)) mission.open(door);
  await eventually(() => mission.waitsForApproval());
  mission.moveTarget();
  const held = proxied.toDatabase.holdCommitOf('UPDATE missions SET', 'after');
  const approved = mission.approve();
  const connection = await held;
  const before = identities(proxied.system.launched).worker;
  await killHard(before);
  const { events } = await temporal.workflow.getHandle(mission.mission_id).fetchHistory();
  expect(events!.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.name === 'decide')).toHaveLength(1);
  connection.reset();
  await approved;
  await expectOneCleanLanding(proxied.system, mission, await missionEnd(proxied.system.launched, mission.mission_id), 'one');
  expect(await told(mission.mission_id, 'approval.decided')).toHaveLength(1);
}, 240_000);

test('F11: a database that takes 0.1 s longer for everything: it lands', async () => {
  proxied.toDatabase.delay(100);
  try {
    await proxied.landing(async () => undefined);
  } finally {
    proxied.toDatabase.delay(0);
  }
}, 240_000);
