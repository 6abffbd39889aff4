/**
 * F1, F11, F12: the api killed around a commit, connections reset in the middle of one, slow, or gone without a word.
 * The system is the launcher's, with every connection to its database and its engine through a proxy.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { expectOneCleanLanding, expectWholeLedger } from '../support/aftermath.ts';
import { createCrashMission, doors, launchForCrashes, type CrashMission, type CrashSystem } from '../support/crash-mission.ts';
import { call } from '../support/http.ts';
import { eventually, identities, killHard, missionEnd, restarted, stopLaunched } from '../support/launched.ts';
import { calculator, fixedAdd, makeRepository } from '../support/repository.ts';
import { ownPostgres, ownTemporal, type OwnServer } from '../support/servers.ts';
import { missionBody } from '../support/system.ts';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { withClient } from '../support/turnstile.ts';

let [postgres, temporal]: OwnServer[] = [];
let [toDatabase, toEngine]: TcpProxy[] = [];
let system: CrashSystem;
let key: string;

beforeAll(async () => {
  [postgres, temporal] = await Promise.all([ownPostgres(), ownTemporal()]);
  const direct = new URL(postgres.address);
  toDatabase = await tcpProxy({ host: '127.0.0.1', port: Number(direct.port) });
  toEngine = await tcpProxy({ host: '127.0.0.1', port: Number(temporal.address.split(':')[1]) });
  system = await launchForCrashes({
    DATABASE_URL: Object.assign(new URL(direct), { port: String(toDatabase.port) }).href, TEMPORAL_ADDRESS: `127.0.0.1:${toEngine.port}`,
  });
  // What the tests ask is asked behind the proxy.
  system.databaseUrl = () => direct.href;
  ({ key } = await system.launched.api().post<{ key: string }>('/mission-control/keys', { principal_id: 'client', kind: 'person', role: 'operator' }));
}, 240_000);
afterAll(async () => {
  await stopLaunched(system.launched);
  await Promise.all([toDatabase?.close(), toEngine?.close(), postgres?.remove(), temporal?.remove()]);
}, 60_000);

function newBody(): Record<string, unknown> {
  const repository = makeRepository(`${system.launched.home}/repositories`, calculator);
  return { ...missionBody(repository, [repository.diff(fixedAdd)]), execute: true };
}
const create = (idempotencyKey: string, json: unknown) =>
  call(system.launched.run().api_url, '/mission-control/missions', { key, json, headers: { 'idempotency-key': idempotencyKey } });

/** As a client does: the same request again until it is answered. */
const createSurely = (idempotencyKey: string, json: unknown): Promise<string> => eventually(async () => {
  const answer = await create(idempotencyKey, json);
  return answer.status === 201 ? String(answer.body['mission_id']) : undefined;
});

const missionsOf = (title: string): Promise<string[]> => withClient(system.databaseUrl(), async (client) =>
  (await client.query<{ mission_id: string }>("SELECT mission_id FROM missions WHERE package->>'title' = $1", [title])).rows.map((row) => row.mission_id));

const commits = [['before', 'the database has heard of it'], ['after', 'the database has carried it out']] as const;

test.each(commits)('F1: the api killed around the commit of a new mission, %s %s: asked again with the same key, there is one', async (when) => {
  const name = `killed ${when} the commit`;
  const body = { ...newBody(), title: name };
  const held = toDatabase!.holdCommitOf('INSERT INTO idempotency_keys', when);
  const first = create(name, body).catch(() => undefined);
  const connection = await held;
  const before = identities(system.launched).api;
  await killHard(before);
  connection.reset();
  expect(await first).toBeUndefined();
  await restarted(system.launched, 'api', before);
  const id = await createSurely(name, body);
  expect(await missionsOf(name)).toEqual([id]);
  expect(await missionEnd(system.launched, id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(await createSurely(name, body)).toBe(id);
}, 120_000);

test.each(commits)('F11: the connection reset in the commit of a new mission, %s %s: 503, and asked again there is one', async (when) => {
  const name = `reset ${when} the commit`;
  const body = { ...newBody(), title: name };
  const held = toDatabase!.holdCommitOf('INSERT INTO idempotency_keys', when);
  const first = create(name, body);
  (await held).reset();
  const answer = await first;
  expect([answer.status, answer.body['code']]).toEqual([503, 'DATABASE_UNAVAILABLE']);
  const id = await createSurely(name, body);
  expect(await missionsOf(name)).toEqual([id]);
  expect(await missionEnd(system.launched, id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
}, 120_000);

/** Lands, with something done to it while its tests run. */
async function landing(during: (mission: CrashMission) => Promise<void>): Promise<void> {
  const mission = await createCrashMission(system);
  await mission.execute();
  for (const door of ['setup', 'agent'] as const) mission.open(door);
  await mission.begun('tests');
  await during(mission);
  for (const door of Object.values(doors)) mission.open(door);
  await eventually(() => mission.waitsForApproval());
  mission.moveTarget();
  await mission.approve();
  await expectOneCleanLanding(system, mission, await missionEnd(system.launched, mission.mission_id), 'one');
}

test.each(commits)('F11: the connection reset in the commit of a record of the worker, %s %s: written once', async (when) => {
  await landing(async (mission) => {
    const held = toDatabase!.holdCommitOf('UPDATE missions SET', when);
    mission.open('tests');
    (await held).reset();
  });
}, 120_000);

test('F11: a database that takes 0.1 s longer for everything: it lands', async () => {
  toDatabase!.delay(100);
  try {
    await landing(async () => undefined);
  } finally {
    toDatabase!.delay(0);
  }
}, 240_000);

const partitions = [['database', 1], ['engine', 1], ['database', 30], ['engine', 30], ['database', 120], ['engine', 120]] as const;

test.each(partitions)('F12: everything is cut off from the %s for %i s while its tests run: one landing, nothing twice', async (from, seconds) => {
  const proxy = from === 'database' ? toDatabase! : toEngine!;
  await landing(async (mission) => {
    proxy.stall();
    mission.open('tests');
    await new Promise((resolve) => { setTimeout(resolve, seconds * 1_000); });
    const seen = system.launched.api().get<MissionDetail>(`/mission-control/missions/${mission.mission_id}`).catch((error: Error) => error);
    proxy.heal();
    await seen;
  });
  await expectWholeLedger(system);
}, 300_000);
