/**
 * The ledger: how many events are appended and sealed per second, against one transaction per event that locks the head of
 * its chain and signs (the obvious way), and how fast a ledger is verified, against checking a signature for each event.
 * Every way starts from an empty table of its own in the same run, rounds go back and forth, and what came out is verified
 * before a figure is printed. Without --quick the ledger that is verified has a million events.
 */
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { createSigner } from '../dist/ledger/note.js';
import { startSealer } from '../dist/ledger/sealer.js';
import { verifyDatabase } from '../dist/ledger/verify-ledger.js';
import { canonical } from '../dist/ledger/canonical.js';
import { recordText } from '../dist/ledger/record.js';
import { connectionTo } from '../dist/store/database.js';
import { insertEvents } from '../dist/store/events.js';
import { announceKey } from '../dist/worker/ledger.js';
import { quantile, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const [rounds, perRound, verified] = quick ? [3, 4_096, 60_000] : [5, 16_384, 1_000_000];
const waiters = 1_024;
/** Of the pool: what waits beyond them waits in us. */
const connections = 20;

const servers = await startServers();
const { database, url } = servers;
const { query } = database;
const keys = generateKeyPairSync('ed25519');
const signer = createSigner('mission-control/bench', keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());

let number = 0;
const event = () => {
  number += 1;
  return {
    type: 'mission.waiting', actor: { id: 'bench', kind: 'service', role: 'system', key_id: null },
    subject: { mission_id: `mission_${number % 1_000}`, workflow_id: 'w', run_id: '0198c3a0-0000-7000-8000-000000000000', stage: 'run_tests', attempt: 1 },
    payload: { number, reason: 'the merge queue of main', who: 'the queue', since: '2026-01-01T00:00:00.000Z' }, idempotency_key: `bench:${number}`,
  };
};

/** Runs `work(i)` for 0 … count−1 with so many at once. @returns how many per second */
async function rate(count, atOnce, work) {
  const started = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => { while (next < count) { const i = next; next += 1; await work(i); } }));
  return count / ((performance.now() - started) / 1_000);
}

await query(`CREATE TABLE naive_head (one boolean PRIMARY KEY DEFAULT true, seq bigint NOT NULL, hash text NOT NULL);
  CREATE TABLE naive_events (seq bigint PRIMARY KEY, prev text NOT NULL, hash text NOT NULL, signature text NOT NULL, event jsonb NOT NULL);
  INSERT INTO naive_head (seq, hash) VALUES (0, '')`);

/** The obvious ledger: the transaction locks the head, hashes, signs, inserts and moves the head. */
const naive = () => database.transaction(async (q) => {
  const [head] = await q('SELECT seq, hash FROM naive_head FOR UPDATE');
  const text = canonical({ ...event(), seq: head.seq + 1, prev: head.hash });
  const hash = createHash('sha256').update(text).digest('hex');
  await q('INSERT INTO naive_events (seq, prev, hash, signature, event) VALUES ($1, $2, $3, $4, $5)',
    [head.seq + 1, head.hash, hash, sign(null, Buffer.from(text), keys.privateKey).toString('base64'), text]);
  await q('UPDATE naive_head SET seq = $1, hash = $2', [head.seq + 1, hash]);
});

const sealed = async () => (await query('SELECT coalesce(max(seq), 0) AS count FROM ledger'))[0].count;
async function untilSealed(count) {
  for (let look = 0; await sealed() < count; look += 1) {
    if (look > 60_000) throw new Error('nothing is sealed any more');
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
}
const sealer = startSealer({
  connect: () => connectionTo(url, 'bench-sealer'), signer, announceKey, published: () => undefined, log: () => undefined,
});
await untilSealed(1);

/** As the system writes: state and event in a transaction of their own for each, none waits for another; then the sealer. */
async function ours(count, perTransaction) {
  const before = await sealed();
  const started = performance.now();
  await rate(count / perTransaction, connections, () => insertEvents(query, Array.from({ length: perTransaction }, event)));
  await untilSealed(before + count);
  return count / ((performance.now() - started) / 1_000);
}

const figures = { naive: [], one: [], ten: [], thousand: [] };
const ways = {
  naive: () => rate(perRound / 4, connections, naive), one: () => ours(perRound, 1), ten: () => ours(perRound, 8), thousand: () => ours(perRound, waiters),
};
for (let round = 0; round < rounds; round += 1) {
  const names = Object.keys(ways);
  for (const name of round % 2 === 0 ? names : names.reverse()) figures[name].push(await ways[name]());
}
const median = (list) => quantile(list, 0.5);
const line = (name, list) => `  ${name.padEnd(58)} ${Math.round(median(list)).toLocaleString('en').padStart(9)} events/s  ${(median(list) / median(figures.naive)).toFixed(1)} ×`;
console.log(`append and seal, ${waiters} waiting at once, acknowledged after commit, median of ${rounds} rounds`);
console.log(line('one transaction per event, locks the head, signs each', figures.naive));
console.log(line('ours, one transaction per event', figures.one));
console.log(line('ours, 8 events a transaction (a record of a mission)', figures.ten));
console.log(line('ours, all that wait in one transaction', figures.thousand));

while (await sealed() < verified) {
  const before = await sealed();
  const count = Math.min(20_000, verified - before);
  await insertEvents(query, Array.from({ length: count }, event));
  await untilSealed(before + count);
}
await sealer.stop();
await query('VACUUM ANALYZE');

const count = await sealed();
const started = performance.now();
const report = await verifyDatabase(url, [signer], []);
const seconds = (performance.now() - started) / 1_000;
if (report.problems.length > 0 || report.records !== count) throw new Error(`the ledger of the bench is not whole: ${JSON.stringify(report.problems[0])}`);
// As many threads as `verify-ledger` uses.
const cores = availableParallelism();

// What verifying could cost at most and at least, for one core: a signature for each event; hashing text that is there already.
const text = recordText({ v: 1, log_id: 'x', seq: 1, prev: '0'.repeat(64), ts: '2026-01-01T00:00:00.000Z', payload_digest: '0'.repeat(64), payload_type: 'application/json', links: [], ...event() });
const signature = sign(null, Buffer.from(text), keys.privateKey);
const signatures = await rate(5_000, 1, async () => { if (!verify(null, Buffer.from(text), keys.publicKey, signature)) throw new Error('bad'); });
const hashes = await rate(200_000, 1, async () => { createHash('sha256').update(text).digest('hex'); });
console.log(`\nverify ${count.toLocaleString('en')} events: records, payloads, chain, tree, checkpoint, grammar`);
console.log(`  ours                                      ${Math.round(count / seconds).toLocaleString('en').padStart(9)} events/s, ${Math.round(count / seconds / cores).toLocaleString('en')} per core (${seconds.toFixed(1)} s)`);
console.log(`  a signature for each event, one core      ${Math.round(signatures).toLocaleString('en').padStart(9)} events/s; ours is ${(count / seconds / signatures).toFixed(1)} ×`);
console.log(`  hashing a text that is there, one core    ${Math.round(hashes).toLocaleString('en').padStart(9)} events/s`);
await servers.stop();
