import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Peer } from '../../src/events/peer.ts';
import { createSubscriber, type SubscriberDeps } from '../../src/events/subscriber.ts';
import { insertMission } from '../../src/store/missions.ts';
import { aRepository, missionPackage } from '../store/fixtures.ts';
import { messageOf, range, seqs, snapshotOf, startStreaming, type Client, type StreamSystem } from '../support/stream.ts';

let system: StreamSystem;
beforeAll(async () => {
  system = await startStreaming();
  await system.ledger.write(5);
  await system.ledger.whenSealed(6);
});
afterAll(() => system.close());

const subject = (mission_id: string) => ({ mission_id, workflow_id: mission_id, run_id: null, stage: null, attempt: null });
const upTo = (client: Client, seq: number): Promise<boolean> => client.until(() => client.cursor() >= seq);
async function write(count: number, more: Parameters<StreamSystem['ledger']['write']>[1] = {}): Promise<number> {
  await system.ledger.write(count, more);
  return system.settled();
}
async function mission(id: string, subsystem_id: string): Promise<void> {
  await insertMission(system.db.database.query, missionPackage(id, await aRepository(system.db.database), { subsystem_id }), false);
}

test('a snapshot first, then every event after it, once and in order', async () => {
  const client = await system.connect();
  client.say({ type: 'subscribe' });
  const { seq, metrics, missions } = await snapshotOf(client);
  expect(seq).toBe(await system.settled());
  expect(missions).toEqual([]);
  expect(metrics).toMatchObject({ missions: { open: 0 }, unsealed: 0, median_to_landed_ms: null });
  const last = await write(7);
  await upTo(client, last);
  expect(seqs(client)).toEqual(range(seq + 1, last));
  expect(client.events.at(-1)).toMatchObject({ type: 'mission.waiting', actor: { id: 'test' }, subsystem_id: null, payload: { number: expect.any(Number) } });
  await client.until(({ messages }) => messages.some((one) => one.type === 'metrics_update' && one.metrics.sealed_at !== metrics.sealed_at));
  await client.close();
});

test('whoever comes back gets what it missed, and nothing twice', async () => {
  const client = await system.connect();
  client.say({ type: 'subscribe', after: 2 });
  const last = await write(3);
  await upTo(client, last);
  expect(seqs(client)).toEqual(range(3, last));
  expect(client.messages.some(({ type }) => type === 'initial_data')).toBe(false);
  await client.until(messageOf('metrics_update'));
  await client.close();
});

describe('filters', () => {
  test('by mission, by type and by subsystem, of the payload and of the mission; the cursor moves over the rest', async () => {
    await mission('mission_20300101_001', 'shop');
    const [byMission, byType, bySubsystem, all] = await Promise.all(Array.from({ length: 4 }, () => system.connect()));
    const from = await system.settled();
    byMission!.say({ type: 'subscribe', after: from, mission_id: 'mission_20300101_001' });
    byType!.say({ type: 'subscribe', after: from, types: ['mission.paused', 'mission.resumed'] });
    bySubsystem!.say({ type: 'subscribe', after: from, subsystem_id: 'shop' });
    all!.say({ type: 'subscribe', after: from });
    await write(2);
    await write(1, { subject: subject('mission_20300101_001') });
    await write(1, { type: 'mission.paused' });
    await write(1, { payload: { subsystem_id: 'shop' } });
    const last = await write(2);
    for (const client of [byMission!, byType!, bySubsystem!, all!]) await upTo(client, last);
    expect(seqs(byMission!)).toEqual([from + 3]);
    expect(seqs(byType!)).toEqual([from + 4]);
    expect(seqs(bySubsystem!)).toEqual([from + 3, from + 5]);
    expect(seqs(all!)).toEqual(range(from + 1, last));
    // The same questions to the ledger itself, as one who comes late asks them.
    for (const [filter, expected] of [[{ mission_id: 'mission_20300101_001' }, seqs(byMission!)], [{ subsystem_id: 'shop' }, seqs(bySubsystem!)], [{ types: ['mission.paused'] }, seqs(byType!)]] as const) {
      const late = await system.connect();
      late.say({ type: 'subscribe', after: 0, ...filter });
      await upTo(late, last);
      expect(seqs(late)).toEqual(expected);
      await late.close();
    }
    for (const client of [byMission!, byType!, bySubsystem!, all!]) await client.close();
  });

  test('a snapshot has only what the filter lets through', async () => {
    await mission('mission_20300101_002', 'bank');
    for (const [filter, expected] of [[{ subsystem_id: 'bank' }, ['mission_20300101_002']], [{ mission_id: 'mission_20300101_001' }, ['mission_20300101_001']], [{ mission_id: 'nobody' }, []]] as const) {
      const client = await system.connect();
      client.say({ type: 'subscribe', ...filter });
      expect((await snapshotOf(client)).missions.map((line) => line.mission_id)).toEqual(expected);
      await client.close();
    }
  });
});

test('a mission that events are about comes with its present state, also to one who catches up', async () => {
  const { query } = system.db.database;
  await mission('mission_20300101_003', 'shop');
  const live = await system.connect();
  live.say({ type: 'subscribe' });
  const { missions } = await snapshotOf(live);
  const line = missions.find((one) => one.mission_id === 'mission_20300101_003');
  expect(line).toMatchObject({ status: 'open', title: expect.any(String), labels: [], created_at: expect.stringMatching(/Z$/) });
  expect(Object.keys(line ?? {})).toHaveLength(23);
  const before = live.cursor();
  await query("UPDATE missions SET status = 'in_progress', progress = 30 WHERE mission_id = 'mission_20300101_003'");
  const last = await write(3, { subject: subject('mission_20300101_003') });
  const late = await system.connect();
  late.say({ type: 'subscribe', after: before });
  for (const client of [live, late]) {
    const update = await client.until(({ messages }) => messages.find((one) => one.type === 'mission_update' && one.seq === last));
    expect(update).toMatchObject({ missions: [{ mission_id: 'mission_20300101_003', status: 'in_progress', progress: 30 }] });
    await client.close();
  }
});

test('no message names a seq above the events that came before it: any of them is a cursor', async () => {
  const client = await system.connect();
  client.say({ type: 'subscribe', after: 0 });
  await write(40, { subject: subject('mission_20300101_003') });
  const last = await write(2);
  await upTo(client, last);
  await client.until(messageOf('metrics_update'));
  await client.until(messageOf('mission_update'));
  let told = 0;
  for (const message of client.messages) {
    if (message.type === 'data_update') told = message.seq;
    else if ('seq' in message) expect(message.seq).toBeLessThanOrEqual(told);
  }
  await client.close();
});

test('a new snapshot when asked for, without a repeat after it', async () => {
  const client = await system.connect();
  client.say({ type: 'request_update' });
  await snapshotOf(client);
  await upTo(client, await write(3));
  const seen = client.messages.length;
  client.say({ type: 'request_update' });
  const again = await client.until(messageOf('initial_data', seen));
  expect(again.seq).toBe(await system.settled());
  await upTo(client, await write(2));
  const all = seqs(client);
  expect(new Set(all).size).toBe(all.length);
  expect(all.at(-1)).toBe(await system.settled());
  await client.close();
});

test('a cursor that is too old or of another ledger is told to start over, and may', async () => {
  const client = await system.connect();
  client.say({ type: 'subscribe', after: 1_000_000 });
  expect((await client.until(messageOf('snapshot_required'))).reason).toContain('the ledger ends at');
  client.say({ type: 'subscribe' });
  await snapshotOf(client);
  await client.close();
});

test('what is no message of ours is answered and changes nothing', async () => {
  const client = await system.connect();
  client.say({ type: 'subscribe' });
  await snapshotOf(client);
  const nonsense = ['', '{', '[]', 'null', '{"type":"nope"}', '{"type":"subscribe","after":-1}', '{"type":"subscribe","after":1.5}', '{"type":"subscribe","types":["nope"]}',
    '{"type":"subscribe","types":[]}', '{"type":"subscribe","mission_id":7}', '{"type":"subscribe","__proto__":{"a":1}}', '{"type":"subscribe","more":1}', JSON.stringify({ type: 'subscribe', mission_id: 'x'.repeat(1_000) })];
  for (const text of nonsense) client.say(text);
  client.socket.send(Buffer.from([1, 2, 3]), { binary: true });
  await client.until(({ messages }) => messages.filter(({ type }) => type === 'error').length === nonsense.length + 1);
  await upTo(client, await write(1));
  for (let i = 0; i < 40; i += 1) client.say('{');
  expect((await client.closed).code).toBe(1008);
});

test('of a client that was closed for its many messages nothing more is looked at', () => {
  let open = true;
  const send = vi.fn<() => void>();
  const close = vi.fn<() => void>(() => { open = false; });
  const subscriber = createSubscriber({ isOpen: () => open, send, close } as Partial<Peer> as Peer, {} as SubscriberDeps);
  for (let i = 0; i < 1_000; i += 1) subscriber.hear('{}');
  expect(send).toHaveBeenCalledTimes(30);
  expect(close).toHaveBeenCalledTimes(1);
});
