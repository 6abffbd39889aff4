import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemActor } from '../../src/domain/actor.ts';
import type { SealedEvent } from '../../src/domain/event.ts';
import { revokeKey } from '../../src/store/keys.ts';
import { call, expectProblem, keyFor, keyIdOf } from '../support/http.ts';
import { range, startStreaming, type StreamSystem } from '../support/stream.ts';

let system: StreamSystem;
beforeAll(async () => {
  system = await startStreaming({ MISSION_CONTROL_STREAM_CONNECTIONS_PER_PRINCIPAL: '2' });
  await system.ledger.write(8);
  // The log's key, the watcher's key and these.
  expect(await system.settled()).toBe(10);
});
afterAll(() => system.close());

interface Page { items: SealedEvent[]; next_after: number; latest_seq: number }
async function poll(query: string, key = system.key): Promise<Page> {
  const answer = await call(system.url, `/mission-control/events?${query}`, { key });
  expect(answer.status, answer.text).toBe(200);
  return answer.body as unknown as Page;
}

test('page by page from the first event to the last', async () => {
  const seen: number[] = [];
  let after = 0;
  for (;;) {
    const page = await poll(`after=${after}&limit=4`);
    expect(page.latest_seq).toBe(10);
    if (page.items.length === 0) break;
    seen.push(...page.items.map(({ seq }) => seq));
    after = page.next_after;
  }
  expect(seen).toEqual(range(1, 10));
  expect(after).toBe(10);
});

test('a wait ends with the first event that the filter lets through, and its cursor has passed the others', async () => {
  const from = await system.settled();
  const waiting = poll(`after=${from}&wait=25&types=mission.paused`);
  await system.ledger.write(3);
  await system.ledger.whenSealed(from + 3);
  await system.ledger.write(1, { type: 'mission.paused', actor: systemActor('test') });
  const page = await waiting;
  expect(page.items.map(({ seq }) => seq)).toEqual([from + 4]);
  expect(page.next_after).toBe(from + 4);
});

test('a key that is revoked while it waits hears nothing of what comes then', async () => {
  const [key, other] = [await keyFor(system, 'leaver', 'viewer'), await keyFor(system, 'leaver', 'viewer')];
  const path = `/mission-control/events?after=${await system.settled()}&types=mission.waiting`;
  // The question below takes a place for a moment: whoever then finds none asks again.
  async function wait(): ReturnType<typeof call> {
    const answer = await call(system.url, `${path}&wait=25`, { key });
    return answer.status === 429 ? wait() : answer;
  }
  const waiting = [wait(), wait()];
  await system.ledger.until(async () => (await call(system.url, `${path}&wait=0.01`, { key: other })).status === 429);
  await revokeKey(system.db.database, keyIdOf(key), systemActor('test'));
  await system.ledger.write(1);
  for (const answer of await Promise.all(waiting)) expectProblem(answer, 401, 'KEY_INVALID');
});

test('a wait that is over answers nothing, and where to go on', async () => {
  const from = await system.settled();
  const page = await poll(`after=${from}&wait=0.05&mission_id=nobody`);
  expect(page).toEqual({ items: [], next_after: from, latest_seq: from });
  // A filter that lets nothing through moves on all the same.
  expect(await poll('after=0&mission_id=nobody')).toEqual({ items: [], next_after: from, latest_seq: from });
});

test('who waits takes a place, and leaves it when it goes', async () => {
  const key = await keyFor(system, 'poller', 'agent');
  const from = await system.settled();
  const gone = new AbortController();
  const path = `/mission-control/events?after=${from}&wait=25`;
  const headers = { authorization: `Bearer ${key}` };
  // The question below takes a place as well, for a moment: whoever then finds none asks again.
  async function wait(): Promise<void> {
    const answer = await fetch(`${system.url}${path}`, { headers, signal: gone.signal }).catch(() => undefined);
    if (answer?.status === 429) await wait();
  }
  const waiting = [wait(), wait()];
  // Until both are in their places, a third one with a short wait is served.
  const full = async (): Promise<boolean> => (await call(system.url, `/mission-control/events?after=${from}&wait=0.01`, { key })).status === 429;
  await system.ledger.until(full);
  gone.abort();
  await Promise.all(waiting);
  await system.ledger.until(async () => !await full());
});

test('a cursor of another ledger, and what is no cursor, is refused by name', async () => {
  const bad: [string, number, string, string][] = [
    ['after=999999', 409, 'CURSOR_AHEAD', 'after'], ['after=-1', 400, 'INVALID_REQUEST', 'after'], ['after=x', 400, 'INVALID_REQUEST', 'after'],
    ['wait=26', 400, 'INVALID_REQUEST', 'wait'], ['limit=501', 400, 'INVALID_REQUEST', 'limit'], ['types=nope', 400, 'INVALID_REQUEST', 'types.0'],
    ['more=1', 400, 'UNKNOWN_FIELD', 'more'],
  ];
  for (const [query, status, code, path] of bad) expectProblem(await call(system.url, `/mission-control/events?${query}`, { key: system.key }), status, code, path);
});

test('the overview is of one place in the ledger', async () => {
  const answer = await call(system.url, '/mission-control/overview', { key: system.key });
  expect(answer.body).toMatchObject({ seq: await system.settled(), missions: [], metrics: { missions: { open: 0 }, unsealed: 0 } });
});
