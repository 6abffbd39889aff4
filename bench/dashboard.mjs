/**
 * The page under load: a real Chromium on the Missions page with 10,000 missions, first with nothing happening, then with
 * 1,000 events a second about the missions on the screen. Printed are frame times as the page itself sees them, side by
 * side in one run, and whether every event arrived.
 */
import chromium from '@sparticuz/chromium';
import { Client } from '@temporalio/client';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { chromium as playwright } from 'playwright-core';
import { buildApp } from '../dist/api/app.js';
import { readConfig } from '../dist/config.js';
import { createGit } from '../dist/git/git.js';
import { createMirrors } from '../dist/git/mirror.js';
import { pepperOf } from '../dist/home.js';
import { createSigner } from '../dist/ledger/note.js';
import { startSealer } from '../dist/ledger/sealer.js';
import { createArtifacts } from '../dist/store/artifacts.js';
import { createCatalog } from '../dist/store/catalog.js';
import { connectionTo } from '../dist/store/database.js';
import { insertEvents } from '../dist/store/events.js';
import { addKey, newKeyText } from '../dist/store/keys.js';
import { announceKey } from '../dist/worker/ledger.js';
import { quantile, silent, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const seconds = quick ? 4 : 15;
const [missions, perSecond, batchMs] = [10_000, 1_000, 20];

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
await app.listen({ host: '127.0.0.1', port: 0 });
const base = `http://127.0.0.1:${app.server.address().port}`;
const system = { id: 'bench', kind: 'service', role: 'system', key_id: null };
const key = newKeyText();
await addKey(database, pepper, key, { principal_id: 'bench', role: 'admin', kind: 'person', name: 'bench', expires_at: null }, system);
await query(
  `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, status, context, created_by, created_at, updated_at, started_at)
   SELECT 'mission_20250101_' || n, jsonb_build_object('mission_id', 'mission_20250101_' || n, 'mission_type', 'coding', 'title', 'Mission ' || n, 'symptoms', '[]'::jsonb, 'severity', 'low',
            'labels', '[]'::jsonb, 'subsystem_id', 'shop', 'created_by', 'bench', 'created_at', to_char(timestamp '2025-01-01' + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS.000"Z"'), 'assigned_to', null, 'parent_mission_id', null),
          'coding', 'shop', 'low', 3, CASE WHEN n > ${missions - 400} THEN 'in_progress' ELSE 'resolved' END, '{}', 'bench', timestamptz '2025-01-01' + n * interval '1 second', '2025-01-01', '2025-01-01'
     FROM generate_series(1, ${missions}) n`);
const signer = createSigner('mission-control/bench', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
const sealer = startSealer({ connect: () => connectionTo(url, 'bench-sealer'), signer, announceKey, published: () => undefined, log: () => undefined });

const browser = await playwright.launch({
  executablePath: await chromium.executablePath(), args: chromium.args.filter((arg) => !['--single-process', '--no-zygote'].includes(arg)), headless: true,
});
const page = await (await browser.newContext({ viewport: { width: 1_440, height: 900 }, locale: 'en-GB' })).newPage();
const { code } = await (await fetch(`${base}/mission-control/sign-in-codes`, {
  method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: '{}',
})).json();
await page.goto(`${base}/sign-in#${code}`);
await page.getByRole('heading', { name: 'Overview' }).waitFor();
await page.getByRole('navigation').getByRole('link', { name: /^Missions/ }).click();
await page.getByRole('link', { name: `Mission ${missions}`, exact: true }).waitFor();

/** Times between frames in milliseconds while `ms` go by. */
const frames = (ms) => page.evaluate((length) => new Promise((resolve) => {
  const times = [];
  const end = performance.now() + length;
  let last = performance.now();
  const tick = (now) => {
    times.push(now - last);
    last = now;
    if (now < end) requestAnimationFrame(tick);
    else resolve(times.slice(1));
  };
  requestAnimationFrame(tick);
}), ms);

let written = 0;
async function write(ms) {
  const end = performance.now() + ms;
  const started = performance.now();
  const before = written;
  while (performance.now() < end) {
    const due = Math.floor(((performance.now() - started) * perSecond) / 1_000) - (written - before);
    if (due > 0) {
      await insertEvents(query, Array.from({ length: due }, () => {
        written += 1;
        const mission_id = `mission_20250101_${missions - (written % 30)}`;
        return { type: 'mission.progress', actor: system, subject: { mission_id, workflow_id: mission_id, run_id: null, stage: null, attempt: null }, payload: { progress: written % 100 }, idempotency_key: `bench:${written}` };
      }));
    }
    await new Promise((resolve) => { setTimeout(resolve, batchMs); });
  }
}

await frames(1_000);
const still = await frames(seconds * 1_000);
const [busy] = await Promise.all([frames(seconds * 1_000), write(seconds * 1_000)]);
const [{ seq }] = await query('SELECT max(seq) AS seq FROM ledger');
await page.getByText(`live · seq ${seq.toLocaleString('en-GB')}`).waitFor({ timeout: 20_000 });

const line = (name, times) => `  ${name.padEnd(30)} ${(times.length / seconds).toFixed(0).padStart(4)} frames/s   p50 ${quantile(times, 0.5).toFixed(1)} ms   p95 ${quantile(times, 0.95).toFixed(1)} ms   p99 ${quantile(times, 0.99).toFixed(1)} ms   longest ${Math.max(...times).toFixed(0)} ms`;
console.log(`the Missions page with ${missions.toLocaleString('en')} missions, ${seconds} s each`);
console.log(line('nothing happens', still));
console.log(line(`${Math.round(written / seconds).toLocaleString('en')} events a second`, busy));
console.log(`  frames under load: ${(busy.length / still.length).toFixed(2)} × of those at rest; all ${written.toLocaleString('en')} events arrived`);

await browser.close();
await sealer.stop();
await app.close();
await connection.close();
await servers.stop();
