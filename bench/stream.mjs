/**
 * The live stream. First, from an event's commit to its arrival at each of 1,000 clients of a real api, with the sealer in a
 * process of its own. Then the fan-out alone: our batches, made once, against one buffer for each event and against what
 * a plain server does, JSON for each client and event; the same events to the same 1,000 sockets, rounds back and forth.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import { freePort } from '../dist/cli/launcher/ports.js';
import { createGroups } from '../dist/events/groups.js';
import { createPeer } from '../dist/events/peer.js';
import { quantile, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const clientCount = 1_000;
const [rate, seconds, rounds, eventsPerRound] = [100, quick ? 3 : 20, quick ? 2 : 6, quick ? 50 : 200];
const folder = dirname(fileURLToPath(import.meta.url));
const part = (...args) => fork(join(folder, 'stream-parts.mjs'), args.map(String));
const said = async (child) => (await once(child, 'message'))[0];
const nowMs = () => performance.timeOrigin + performance.now();

async function commitToClient() {
  const servers = await startServers();
  const port = await freePort(0);
  const log = openSync(join(servers.home, 'api.log'), 'a');
  const api = spawn(process.execPath, [join(folder, '..', 'dist', 'api', 'main.js')], {
    stdio: ['ignore', log, log],
    env: {
      ...process.env, DATABASE_URL: servers.url, MISSION_CONTROL_HOME: servers.home, MISSION_CONTROL_PORT: String(port), TEMPORAL_ADDRESS: '127.0.0.1:9',
      MISSION_CONTROL_STREAM_CONNECTIONS_PER_PRINCIPAL: String(clientCount),
    },
  });
  // Whatever goes wrong here leaves no process behind; the forked ones end with us by themselves.
  process.once('exit', () => api.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  while (!await fetch(`${url}/health/live`).then((answer) => answer.ok, () => false)) await new Promise((resolve) => { setTimeout(resolve, 50); });
  const key = readFileSync(join(servers.home, 'admin.key'), 'utf8').trim();
  const writer = part('writer', servers.url, rate, seconds);
  await said(writer);

  const arrivals = Array.from({ length: clientCount }, () => []);
  const cursors = Array(clientCount).fill(0);
  const sockets = [];
  let parsed = [];
  for (let i = 0; i < clientCount; i += 1) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/mission-control/ws`, { headers: { authorization: `Bearer ${key}` }, perMessageDeflate: false });
    sockets.push(socket);
    socket.on('message', (data) => {
      const head = data.subarray(0, 60).toString('latin1');
      const [, type, seq] = /"type":"(\w+)","seq":(\d+)/.exec(head) ?? [];
      if (type === 'initial_data') cursors[i] = Number(seq);
      if (type !== 'data_update') return;
      arrivals[i].push([Number(seq), nowMs(), data.length]);
      if (i === 0) parsed.push(...JSON.parse(data.toString()).events);
      cursors[i] = Number(seq);
    });
    if (i % 50 === 49) await once(socket, 'open');
  }
  for (const socket of sockets) if (socket.readyState !== socket.OPEN) await once(socket, 'open');
  for (const socket of sockets) socket.send('{"type":"subscribe"}');
  while (cursors.some((seq) => seq === 0)) await new Promise((resolve) => { setTimeout(resolve, 20); });
  parsed = [];
  for (const list of arrivals) list.length = 0;
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  writer.send('go');
  const { committed } = await said(writer);
  const clientCpu = Object.values(process.cpuUsage(cpuBefore)).reduce((sum, us) => sum + us, 0) / 1_000 / (performance.now() - began);
  while (parsed.length < rate * seconds) await new Promise((resolve) => { setTimeout(resolve, 20); });
  const last = parsed.at(-1).seq;
  while (cursors.some((seq) => seq < last)) await new Promise((resolve) => { setTimeout(resolve, 20); });

  // The first client parsed everything: which event has which seq. The others must have heard the same frames.
  const commitOf = new Map(parsed.map((event) => [event.seq, committed[event.payload.number]]));
  const frames = arrivals[0].map(([seq, , bytes]) => `${seq}:${bytes}`).join();
  const once_ = parsed.length === rate * seconds && parsed.every((event, i) => i === 0 || event.seq === parsed[i - 1].seq + 1);
  const same = arrivals.every((list) => list.map(([seq, , bytes]) => `${seq}:${bytes}`).join() === frames);
  const delays = [];
  for (const list of arrivals) {
    let from = parsed[0].seq;
    for (const [seq, at] of list) for (; from <= seq; from += 1) delays.push(at - commitOf.get(from));
  }
  const sampled = delays.sort((a, b) => a - b);
  for (const socket of sockets) socket.terminate();
  writer.send('stop');
  await once(writer, 'exit');
  api.kill('SIGTERM');
  await once(api, 'exit');
  await servers.stop();
  const at = (share) => sampled[Math.max(0, Math.ceil(share * sampled.length) - 1)];
  return { complete: once_ && same, deliveries: sampled.length, frames: arrivals[0].length, clientCpu, p50: at(0.5), p99: at(0.99), max: at(1) };
}

const event = (seq) => ({
  seq, event_id: '019aa000-0000-7000-8000-000000000000', ts: '2026-01-01T00:00:00.000Z', sealed_at: '2026-01-01T00:00:00.000Z', type: 'stage.ended',
  actor: { id: 'worker', kind: 'service', role: 'system', key_id: null }, payload_digest: 'a'.repeat(64), idempotency_key: `mission_20260101_001:run_tests:1:${seq}`,
  links: [], subsystem_id: 'shop', payload: { stage: 'run_tests', status: 'passed' },
  subject: { mission_id: 'mission_20260101_001', workflow_id: 'mission_20260101_001', run_id: null, stage: 'run_tests', attempt: 1 },
});

async function fanOut() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = [];
  const groups = createGroups();
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
    sockets.push(socket);
    groups.join(createPeer(socket, { principal: null, session_id: null }), {});
  });
  const clients = part('clients', `ws://127.0.0.1:${server.address().port}`, clientCount);
  await said(clients);
  const ways = {
    'batches of 10, made once': (events) => {
      for (let i = 0; i < events.length; i += 10) {
        const some = events.slice(i, i + 10).map((one) => ({ event: one, json: JSON.stringify(one) }));
        groups.fanOut({ events: some, seq: some.at(-1).event.seq });
      }
    },
    'one buffer for each event': (events) => {
      for (const one of events) groups.fanOut({ events: [{ event: one, json: JSON.stringify(one) }], seq: one.seq });
    },
    'JSON for each client and event': (events) => {
      for (const one of events) for (const socket of sockets) socket.send(JSON.stringify({ type: 'data_update', seq: one.seq, events: [one] }));
    },
  };
  const rates = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  let seq = 0;
  async function run(name) {
    const events = Array.from({ length: eventsPerRound }, () => { seq += 1; return event(seq); });
    clients.send({ last: seq });
    await said(clients);
    const heard = said(clients);
    const started = performance.now();
    ways[name](events);
    await heard;
    return (eventsPerRound * clientCount) / ((performance.now() - started) / 1_000);
  }
  for (const name of Object.keys(ways)) await run(name);
  for (let round = 0; round < rounds; round += 1) {
    const names = Object.keys(ways);
    for (const name of round % 2 === 0 ? names : names.reverse()) rates[name].push(await run(name));
  }
  clients.send({});
  await once(clients, 'exit');
  server.close();
  server.closeAllConnections();
  return rates;
}

const delay = await commitToClient();
console.log(`\n${rate} events/s for ${seconds} s to ${clientCount} clients, each in a transaction of its own: ${delay.deliveries} deliveries in ${delay.frames} frames per client`);
console.log(`from commit to client: p50 ${delay.p50.toFixed(1)} ms, p99 ${delay.p99.toFixed(1)} ms, longest ${delay.max.toFixed(1)} ms (the clients' process was ${(100 * delay.clientCpu).toFixed(0)} % busy)`);
const rates = await fanOut();
const [ours] = Object.values(rates).map((list) => quantile(list, 0.5));
console.log(`\nfan-out to ${clientCount} sockets, ${eventsPerRound} events a round, ${rounds} rounds\n`);
console.log('| | deliveries/s | of ours |');
console.log('|---|---|---|');
for (const [name, list] of Object.entries(rates)) console.log(`| ${name} | ${(quantile(list, 0.5) / 1_000).toFixed(0)}k | 1 / ${(ours / quantile(list, 0.5)).toFixed(1)} |`);
console.log(`\nevery client heard every event once and in order: ${delay.complete ? '1 passed, 0 failed' : '0 passed, 1 failed'}`);
process.exit(delay.complete ? 0 : 1);
