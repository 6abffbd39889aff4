/** The other processes of bench/stream.mjs: `writer` writes and seals events, `clients` hear what one server sends them. */
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import { WebSocket } from 'ws';
import { createSigner } from '../dist/ledger/note.js';
import { startSealer } from '../dist/ledger/sealer.js';
import { connectionTo, createDatabase } from '../dist/store/database.js';
import { insertEvents } from '../dist/store/events.js';
import { announceKey } from '../dist/worker/ledger.js';
import { silent } from './system.mjs';

const nowMs = () => performance.timeOrigin + performance.now();
const noSubject = { mission_id: null, workflow_id: null, run_id: null, stage: null, attempt: null };

/** Bytes of a frame's beginning: enough for its type and its seq. */
const seqOf = (data) => Number(/"seq":(\d+)/.exec(data.subarray(0, 60).toString('latin1'))?.[1] ?? 0);

async function writer(url, rate, seconds) {
  const database = createDatabase(url, silent);
  const signer = createSigner('mission-control/bench', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const sealer = startSealer({ connect: () => connectionTo(url, 'bench-sealer'), signer, announceKey, published: () => undefined, log: () => undefined });
  process.send('ready');
  await once(process, 'message');
  const committed = [];
  const writing = [];
  const started = performance.now();
  for (let i = 0; i < rate * seconds; i += 1) {
    const early = started + (i * 1_000) / rate - performance.now();
    if (early > 0) await new Promise((resolve) => { setTimeout(resolve, early); });
    writing.push(database.transaction((query) => insertEvents(query, [{
      type: 'mission.waiting', actor: { id: 'bench', kind: 'service', role: 'system', key_id: null }, subject: noSubject,
      payload: { number: i, reason: 'x'.repeat(100) }, idempotency_key: `bench:${process.pid}:${i}`,
    }])).then(() => { committed[i] = nowMs(); }));
  }
  await Promise.all(writing);
  for (;;) {
    const [{ left }] = await database.query('SELECT count(*) AS left FROM unsealed');
    if (left === 0) break;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  process.send({ committed });
  await once(process, 'message');
  await sealer.stop();
  await database.close();
  process.disconnect();
}

async function clients(url, count) {
  let heard = [];
  let wanted = Infinity;
  const sockets = [];
  const look = () => {
    if (heard.length < count || !heard.every((seq) => seq >= wanted)) return;
    wanted = Infinity;
    process.send('heard');
  };
  let missing = count;
  for (let i = 0; i < count; i += 1) {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on('message', (data) => {
      const seq = seqOf(data);
      heard[i] = seq;
      if (seq < wanted) return;
      missing -= 1;
      if (missing === 0) look();
    });
    sockets.push(socket);
    if (i % 50 === 49) await once(socket, 'open');
  }
  process.on('message', ({ last }) => {
    if (last === undefined) {
      for (const socket of sockets) socket.terminate();
      process.disconnect();
      return;
    }
    [heard, missing, wanted] = [[], count, last];
    process.send('waiting');
  });
  for (const socket of sockets) if (socket.readyState !== socket.OPEN) await once(socket, 'open');
  process.send('ready');
}

process.on('disconnect', () => process.exit());
const [role, url, first, second] = process.argv.slice(2);
if (role === 'writer') await writer(url, Number(first), Number(second));
else await clients(url, Number(first));
