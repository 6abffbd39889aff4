/**
 * Lists: fifty of a million missions through the whole API (key, rate limit, validation, answer), for each filter, beside the
 * barest server that could answer: Fastify, one prepared query for the same rows in the same order, JSON.stringify. Both
 * talk to the same database in the same run, rounds go back and forth, and the ids of both answers are compared first.
 * Without --quick there are 1,000,000 missions.
 */
import Fastify from 'fastify';
import { Client } from '@temporalio/client';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { buildApp } from '../dist/api/app.js';
import { readConfig } from '../dist/config.js';
import { createGit } from '../dist/git/git.js';
import { createMirrors } from '../dist/git/mirror.js';
import { pepperOf } from '../dist/home.js';
import { createArtifacts } from '../dist/store/artifacts.js';
import { createCatalog } from '../dist/store/catalog.js';
import { addKey, newKeyText } from '../dist/store/keys.js';
import { quantile, silent, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const [missions, rounds, perRound] = quick ? [50_000, 2, 150] : [1_000_000, 4, 500];
const atOnce = 10;

const servers = await startServers();
const { database, home, url } = servers;
const { query } = database;
const { connection } = await servers.temporal(true);
const config = readConfig({ MISSION_CONTROL_HOME: home, DATABASE_URL: url });
const pepper = await pepperOf(home);
const git = createGit(join(home, 'scratch', 'git-home'), config.git);
const app = await buildApp({
  config, logger: silent, database, temporal: new Client({ connection }), git, pepper, artifacts: createArtifacts(config.artifacts, query),
  catalog: createCatalog(config.configFolder, database), mirrors: createMirrors(git, join(home, 'mirrors'), config.repoRoots),
});
// A key may ask so many times a minute: each asks in its turn.
const keys = Array.from({ length: 40 }, newKeyText);
for (const key of keys) await addKey(database, pepper, key, { principal_id: 'bench', role: 'viewer', kind: 'person', name: 'bench', expires_at: null }, { id: 'bench', kind: 'service', role: 'system', key_id: null });

console.log(`writing ${missions.toLocaleString('en')} missions …`);
const subsystems = 200;
await query(
  `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, assigned_to, labels, status, context, created_by, created_at, updated_at)
   SELECT 'mission_20250101_' || n, jsonb_build_object('mission_id', 'mission_20250101_' || n, 'mission_type', 'coding', 'title', 'Mission ' || n || ' of ' || md5(n::text),
            'description', null, 'symptoms', jsonb_build_array(jsonb_build_object('description', 'p95 is ' || n % 900 || ' ms')), 'severity', 'low', 'labels', '[]'::jsonb,
            'created_by', 'bench', 'created_at', '2025-01-01T00:00:00.000Z'),
          'coding', 'subsystem_' || n % ${subsystems}, (ARRAY['low','medium','high','critical'])[1 + n % 4], n % 4, CASE WHEN n % 10 = 0 THEN 'agent_' || n % 50 END,
          CASE WHEN n % 100 = 0 THEN ARRAY['rare'] ELSE '{}' END, CASE WHEN n % 500 = 0 THEN 'in_progress' ELSE 'resolved' END, '{}', 'bench', '2025-01-01', '2025-01-01'
     FROM generate_series(1, ${missions}) n`);
await query('VACUUM ANALYZE missions');

/** Name, our query string, and the bare server's condition. */
const filters = [
  ['newest', '', 'true'],
  ['by status (1 of 500)', 'status=in_progress', `status = 'in_progress'`],
  ['by severity', 'severity=high', `severity = 'high'`],
  ['by subsystem (1 of 200)', 'subsystem_id=subsystem_7', `subsystem_id = 'subsystem_7'`],
  ['by label (1 of 100)', 'label=rare', `labels @> ARRAY['rare']`],
  ['by agent (1 of 500)', 'assigned_to=agent_30', `assigned_to = 'agent_30'`],
  ['a word of the title', `q=Mission+${Math.floor(missions / 3)}`, null],
];
const bare = Fastify({ logger: false });
bare.get('/list/:filter', async ({ params: { filter } }) => {
  const { rows } = await database.pool.query({
    name: `bare-${filter}`,
    text: `SELECT mission_id, created_seq, package, status, outcome, stage, progress, paused, waiting_on, context, remediation_history, tokens, cost_micro_usd,
                  landed_commit, landed_tree, capa_id, ended_reason, execute_requested_at, started_at, ended_at, updated_at
             FROM missions WHERE ${filters[filter][2]} ORDER BY created_seq DESC LIMIT 51`,
  });
  return { items: rows };
});
await Promise.all([app.listen({ host: '127.0.0.1', port: 0 }), bare.listen({ host: '127.0.0.1', port: 0 })]);
const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
let asked = 0;
const ask = (server, path) => new Promise((resolve, reject) => {
  asked += 1;
  request({ agent, host: '127.0.0.1', port: server.server.address().port, path, headers: { authorization: `Bearer ${keys[asked % keys.length]}` } }, (answer) => {
    const parts = [];
    answer.on('data', (part) => { parts.push(part); });
    answer.on('end', () => (answer.statusCode === 200 ? resolve(Buffer.concat(parts)) : reject(new Error(`${path}: ${answer.statusCode} ${Buffer.concat(parts)}`))));
  }).on('error', reject).end();
});

async function measure(server, path) {
  const times = [];
  const started = performance.now();
  let left = perRound;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left > 0) {
      left -= 1;
      const from = performance.now();
      await ask(server, path);
      times.push(performance.now() - from);
    }
  }));
  return { perSecond: perRound / ((performance.now() - started) / 1_000), times };
}
const idsOf = (body) => JSON.parse(body).items.map((one) => one.mission_id).slice(0, 50).join();

// Code is compiled while it runs: nobody is measured cold.
for (const _ of [1, 2]) for (const [server, path] of [[app, '/mission-control/missions?limit=50'], [bare, '/list/0']]) await measure(server, path);
console.log(`list 50 of ${missions.toLocaleString('en')}, ${atOnce} at once, median of ${rounds} rounds`);
for (const [i, [name, search, condition]] of filters.entries()) {
  const ours = `/mission-control/missions?limit=50&${search}`;
  const theirs = `/list/${i}`;
  if (condition !== null && idsOf(await ask(app, ours)) !== idsOf(await ask(bare, theirs))) throw new Error(`${name}: the two servers do not answer the same`);
  const figures = { ours: [], bare: [] };
  const times = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const who of round % 2 === 0 ? ['ours', 'bare'] : ['bare', 'ours']) {
      if (who === 'bare' && condition === null) continue;
      const seen = await measure(who === 'ours' ? app : bare, who === 'ours' ? ours : theirs);
      figures[who].push(seen.perSecond);
      if (who === 'ours') times.push(...seen.times);
    }
  }
  const median = quantile(figures.ours, 0.5);
  const ratio = condition === null ? '' : `${(median / quantile(figures.bare, 0.5)).toFixed(2)} × bare`;
  console.log(`  ${name.padEnd(26)} ${Math.round(median).toLocaleString('en').padStart(6)}/s  ${ratio.padEnd(12)} p99 ${quantile(times, 0.99).toFixed(1)} ms`);
}
await Promise.all([app.close(), bare.close()]);
await connection.close();
await servers.stop();
