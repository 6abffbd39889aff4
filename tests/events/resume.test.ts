import { afterEach, beforeEach, expect, test } from 'vitest';
import { keyFor } from '../support/http.ts';
import { messageOf, openClient, range, seqs, snapshotOf, startStreaming, type Client, type StreamSystem } from '../support/stream.ts';

let system: StreamSystem;
beforeEach(async () => { system = await startStreaming(); });
afterEach(() => system.close());

/** Writes without a pause until told to stop; says how far it came. */
function writer(): { stop(): Promise<number> } {
  const over = new AbortController();
  const running = (async () => {
    while (!over.signal.aborted) await system.ledger.write(1 + Math.floor(Math.random() * 5));
  })();
  return {
    async stop() {
      over.abort();
      await running;
      return system.settled();
    },
  };
}

/** Follows as a page does: after a break it comes back with its cursor. */
async function follow(next: () => Promise<Client>, ended: Promise<number>, breaks: (client: Client) => Promise<unknown>): Promise<number[]> {
  let end: number | undefined;
  void ended.then((seq) => { end = seq; });
  const seen: number[] = [];
  let cursor = 0;
  for (;;) {
    const client = await next();
    client.say({ type: 'subscribe', after: cursor });
    await Promise.race([end === undefined ? breaks(client) : client.closed, ended.then((last) => client.until(() => client.cursor() >= last))]).catch(() => undefined);
    client.socket.terminate();
    await client.closed;
    seen.push(...seqs(client));
    cursor = Math.max(cursor, client.cursor());
    if (end !== undefined && cursor >= end) return seen;
  }
}

const atLeast = (events: number) => (client: Client): Promise<unknown> => client.until(() => client.events.length >= events).catch(() => undefined);

test('sockets that drop in the middle of everything lose nothing and repeat nothing', async () => {
  const writing = writer();
  const ended = system.ledger.whenSealed(400).then(() => writing.stop());
  const followers = Array.from({ length: 10 }, (_, i) => follow(() => system.connect(), ended, atLeast(1 + i * 7)));
  const end = await ended;
  for (const seen of await Promise.all(followers)) expect(seen).toEqual(range(1, end));
});

test('an api that is started anew in between loses and repeats nothing', async () => {
  const writing = writer();
  const connect = async (): Promise<Client> => {
    for (;;) {
      try {
        return await system.connect();
      } catch {
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    }
  };
  const ended = (async () => {
    for (let i = 1; i <= 3; i += 1) {
      await system.ledger.whenSealed(i * 100);
      await system.restartApi();
    }
    return writing.stop();
  })();
  const followers = Array.from({ length: 5 }, () => follow(connect, ended, (client) => client.closed));
  const end = await ended;
  for (const seen of await Promise.all(followers)) expect(seen).toEqual(range(1, end));
});

test('from pages of the ledger to live while events are being written: no gap, no repeat', async () => {
  // More than is kept in memory, so that the first pages come from the ledger.
  await system.ledger.write(3_000);
  await system.ledger.whenSealed(3_001);
  await system.restartApi();
  const writing = writer();
  const clients = await Promise.all(Array.from({ length: 20 }, () => system.connect()));
  clients.forEach((client, i) => client.say({ type: 'subscribe', after: i * 150 }));
  const filtered = await system.connect();
  filtered.say({ type: 'subscribe', after: 0, types: ['mission.waiting', 'log_key.added', 'key.added'] });
  await system.ledger.whenSealed(3_400);
  const last = await writing.stop();
  for (const [i, client] of [...clients, filtered].entries()) {
    await client.until(() => client.cursor() >= last);
    expect(seqs(client)).toEqual(range(i === 20 ? 1 : i * 150 + 1, last));
  }
});

test('two api processes on one ledger: a client goes from one to the other with its cursor', async () => {
  const other = await system.startApi();
  try {
    const writing = writer();
    const first = await system.connect();
    first.say({ type: 'subscribe', after: 0 });
    await first.until(() => first.events.length >= 50);
    await first.close();
    const second = await openClient(`http://127.0.0.1:${other.port}`, { headers: { authorization: `Bearer ${system.key}` } });
    second.say({ type: 'subscribe', after: first.cursor() });
    const last = await writing.stop();
    await second.until(() => second.cursor() >= last);
    expect([...seqs(first), ...seqs(second)]).toEqual(range(1, last));
  } finally {
    await other.close();
  }
});

test('more than 10,000 events behind: a snapshot is asked for, and the way goes on from it', async () => {
  for (let i = 0; i < 10; i += 1) await system.ledger.write(1_001);
  const last = await system.settled();
  const client = await system.connect();
  client.say({ type: 'subscribe', after: last - 10_001 });
  expect((await client.until(messageOf('snapshot_required'))).reason).toContain('10001 events');
  client.say({ type: 'subscribe' });
  const { seq } = await snapshotOf(client);
  await system.ledger.write(2);
  await client.until(() => client.cursor() >= seq + 2);
  expect(seqs(client)).toEqual([seq + 1, seq + 2]);
});

test('the listening connection is cut again and again: everything still comes, in order', async () => {
  const client = await system.connect();
  client.say({ type: 'subscribe', after: 0 });
  const writing = writer();
  for (let i = 1; i <= 4; i += 1) {
    await system.ledger.whenSealed(i * 50);
    await system.db.database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mission-control-mission_control_sealed' AND datname = current_database()");
  }
  const last = await writing.stop();
  await client.until(() => client.cursor() >= last);
  expect(seqs(client)).toEqual(range(1, last));
});

test('1,000 clients hear every event once and in order', async () => {
  const keys = await Promise.all(Array.from({ length: 10 }, (_, i) => keyFor(system, `fleet-${i}`, 'viewer')));
  const clients: Client[] = [];
  for (let i = 0; i < 20; i += 1) {
    clients.push(...await Promise.all(Array.from({ length: 50 }, (_, j) => system.connect({}, keys[j % keys.length]))));
  }
  for (const client of clients) client.say({ type: 'subscribe', after: 0 });
  await Promise.all(clients.map((client) => client.until(() => client.messages.length > 0)));
  for (let i = 0; i < 20; i += 1) await system.ledger.write(10);
  const last = await system.settled();
  for (const client of clients) {
    await client.until(() => client.cursor() >= last);
    expect(seqs(client)).toEqual(range(1, last));
  }
});
