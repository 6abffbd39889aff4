import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { consistencyProof, inclusionProof } from '../../src/ledger/nodes.ts';
import { isConsistent, openFrontier, rootFromInclusion } from '../../src/ledger/merkle.ts';
import { openCheckpoint, sealNote } from '../../src/ledger/note.ts';
import { firstPrev } from '../../src/ledger/record.ts';
import { connectionTo } from '../../src/store/database.ts';
import { eventsAfter, latestSeq, logVkey } from '../../src/store/ledger.ts';
import { announceKey } from '../../src/worker/ledger.ts';
import { newSigner, openLedger, type TestLedger } from '../support/ledger.ts';

let ledger: TestLedger;
beforeEach(async () => { ledger = await openLedger(); });
afterEach(() => ledger.close());

interface Row { seq: number; event_id: string; prev: string; leaf_hash: string }
const rows = (): Promise<Row[]> => ledger.query<Row>('SELECT seq, event_id, prev, leaf_hash FROM ledger ORDER BY seq');
const checkpoints = () => ledger.query<{ size: number; root: string; note: string }>('SELECT size, root, note FROM ledger_checkpoints ORDER BY size');

test('events come in the order they were written, chained, from 1 without gaps; the first names the key', async () => {
  await ledger.write(3);
  ledger.start();
  await ledger.whenSealed(4);
  await ledger.write(2);
  await ledger.whenSealed(6);
  const sealed = await rows();
  expect(sealed.map((row) => row.seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(sealed.map((row) => row.prev)).toEqual([firstPrev, ...sealed.slice(0, -1).map((row) => row.leaf_hash)]);
  const events = await eventsAfter(ledger.query, { after: 0, limit: 10 });
  expect(events[0]).toMatchObject({ type: 'log_key.added', payload: { vkey: ledger.signer.vkey } });
  expect(events.slice(1).map((event) => event.payload['number'])).toEqual([1, 2, 3, 4, 5]);
  expect(await ledger.query('SELECT * FROM unsealed')).toEqual([]);
});

test('one that dies between naming its key and the first record leaves no name behind: the key that is named is the one that signs', async () => {
  const dying = ledger.start({
    signer: newSigner('mission-control/other'),
    announceKey: async (query, signer) => {
      await announceKey(query, signer);
      throw new Error('killed');
    },
  });
  await ledger.until(async () => ledger.said.some((line) => line.event === 'ledger.sealer_stopped'));
  await dying.stop();
  ledger.start();
  await ledger.whenSealed(1);
  expect(await logVkey(ledger.query)).toBe(ledger.signer.vkey);
  expect(await eventsAfter(ledger.query, { after: 0, limit: 10 })).toHaveLength(1);
});

test('each batch has a checkpoint over the tree so far, signed and published', async () => {
  ledger.start();
  await ledger.write(5);
  await ledger.whenSealed(6);
  const tree = openFrontier();
  const [leaves, heads] = [await rows(), await checkpoints()];
  for (const { leaf_hash } of leaves) {
    tree.append(leaf_hash);
    const head = heads.find((one) => one.size === tree.size);
    if (head === undefined) continue;
    expect(head.root).toBe(tree.root());
    expect(openCheckpoint(head.note, [ledger.signer])).toMatchObject({ origin: 'mission-control/test', size: head.size, root: head.root });
  }
  expect(heads.at(-1)!.size).toBe(6);
  // Published after its commit: a reader may have seen the batch before.
  await ledger.until(async () => ledger.published.at(-1) === heads.at(-1)!.note);
});

test('two sealers: one works; it dies, and the other goes on at once where it ended', async () => {
  const first = ledger.start();
  await ledger.write(1);
  await ledger.whenSealed(2);
  ledger.start();
  await ledger.write(10);
  await ledger.whenSealed(12);
  expect(ledger.said.filter((line) => line.event === 'ledger.sealer_elected')).toHaveLength(1);
  await first.stop();
  await ledger.write(1);
  await ledger.whenSealed(13);
  const elected = ledger.said.filter((line) => line.event === 'ledger.sealer_elected');
  expect(elected).toHaveLength(2);
  expect(elected[1]!['seq']).toBe(12);
});

test('one whose host is gone without a word, or sleeps, is replaced within seconds', async () => {
  // What it sends goes nowhere, and no side is told: a host without power, a worker under SIGSTOP.
  let silence: () => void = () => undefined;
  const proxy = createServer((near) => {
    const { hostname, port } = new URL(ledger.db.url);
    const far = connect(Number(port), hostname);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => undefined);
    silence = () => { for (const socket of [near, far]) socket.unpipe().pause(); };
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => { proxy.once('listening', resolve); });
  const through = Object.assign(new URL(ledger.db.url), { hostname: '127.0.0.1', port: String((proxy.address() as AddressInfo).port) }).href;
  let asleep: ReturnType<typeof connectionTo> | undefined;
  ledger.start({ connect: () => (asleep = connectionTo(through, 'test-sealer')) });
  await ledger.whenSealed(1);
  silence();
  ledger.start();
  await ledger.write(1);
  await ledger.whenSealed(2);
  await asleep!.end();
  proxy.close();
});

test('a connection cut at any moment seals nothing twice and loses nothing', async () => {
  ledger.start();
  ledger.start();
  for (let round = 0; round < 10; round += 1) {
    await ledger.write(20);
    await ledger.db.database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-sealer' AND datname = current_database()`);
  }
  await ledger.whenSealed(201);
  const events = await eventsAfter(ledger.query, { after: 0, limit: 1_000 });
  expect(events).toHaveLength(201);
  expect(new Set(events.map((event) => event.event_id)).size).toBe(201);
  const sealed = await rows();
  expect(sealed.slice(1).map((row) => row.prev)).toEqual(sealed.slice(0, -1).map((row) => row.leaf_hash));
});

test('proofs hold across the levels of stored nodes', async () => {
  ledger.start();
  for (let i = 0; i < 3; i += 1) await ledger.write(300);
  await ledger.whenSealed(901);
  const leaves = await rows();
  const tree = openFrontier();
  const roots = leaves.map((row) => { tree.append(row.leaf_hash); return tree.root(); });
  for (const size of [1, 2, 255, 256, 257, 512, 700, 901]) {
    for (const index of [0, 1, 100, 255, 256, 511, 699, 900].filter((i) => i < size)) {
      const path = await inclusionProof(ledger.query, index, size);
      expect(rootFromInclusion(index, size, leaves[index]!.leaf_hash, path)).toBe(roots[size - 1]);
    }
    expect(isConsistent(size, roots[size - 1]!, 901, roots[900]!, await consistencyProof(ledger.query, size, 901))).toBe(true);
  }
  expect(await ledger.query('SELECT level, index FROM ledger_nodes ORDER BY index')).toEqual([0, 1, 2].map((index) => ({ level: 1, index })));
});

describe('a sealer that cannot trust what it finds seals nothing', () => {
  const refused = async (): Promise<void> => {
    const before = await latestSeq(ledger.query);
    ledger.said.length = 0;
    await ledger.write(1);
    ledger.start();
    await ledger.until(async () => ledger.said.some((line) => line.event === 'ledger.sealer_stopped'));
    expect(await latestSeq(ledger.query)).toBe(before);
  };
  const sealSome = async (): Promise<void> => {
    const sealer = ledger.start();
    await ledger.write(3);
    await ledger.whenSealed(4);
    await sealer.stop();
  };

  test('its key is another one', async () => {
    await sealSome();
    const other = newSigner();
    await ledger.write(1);
    ledger.start({ signer: other });
    await ledger.until(async () => ledger.said.some((line) => line.event === 'ledger.sealer_stopped'));
    expect(ledger.said.at(-1)!['reason']).toMatch(/not signed by this key/);
    expect(await latestSeq(ledger.query)).toBe(4);
  });

  test.each([
    ['the last records are gone', 'DELETE FROM ledger WHERE seq > 2'],
    ['a leaf was changed', `UPDATE ledger SET leaf_hash = repeat('0', 64) WHERE seq = 2`],
    ['the checkpoints are gone', 'DELETE FROM ledger_checkpoints'],
  ])('%s', async (_, statement) => {
    await sealSome();
    await ledger.tamper(statement);
    await refused();
  });

  test('a checkpoint was put there for a ledger that is longer', async () => {
    await sealSome();
    const note = sealNote(`mission-control/test\n9\n${Buffer.alloc(32).toString('base64')}\n`, ledger.signer);
    await ledger.query('INSERT INTO ledger_checkpoints (size, root, note) VALUES (9, $1, $2)', ['0'.repeat(64), note]);
    await refused();
  });
});

test.each(['ledger', 'ledger_checkpoints', 'ledger_nodes'])('%s takes no UPDATE, DELETE or TRUNCATE', async (table) => {
  for (const statement of [`UPDATE ${table} SET ${table === 'ledger' ? 'prev = prev' : table === 'ledger_nodes' ? 'hash = hash' : 'root = root'}`, `DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`]) {
    await expect(ledger.query(statement)).rejects.toMatchObject({ code: '42501', message: `${table} is insert-only` });
  }
});
