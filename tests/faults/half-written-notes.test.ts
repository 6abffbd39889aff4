/** Found by killing everything at random times (seed 252251): a worker killed while it noted what it runs left half a note, and no worker could start there any more. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createClient } from '../../src/engine/client.ts';
import { clearScratch } from '../../src/worker/scratch.ts';
import { failUnfinished } from '../../src/worker/unfinished.ts';
import { silent } from '../support/database.ts';
import { temporaryFolder } from '../support/repository.ts';

const home = temporaryFolder();
afterAll(() => rm(home, { recursive: true, force: true }));
const halves = { nothing: '', some: '{"worker":{"pid":1' };

test('half a note of an activity, or of a worker, is taken away, and the next worker starts', async () => {
  for (const folder of ['running', 'workers', 'scratch']) mkdirSync(join(home, folder));
  for (const [name, text] of Object.entries(halves)) for (const folder of ['running', 'workers']) writeFileSync(join(home, folder, name), text);
  const left = '0a1b2c3d-0000-4000-8000-000000000000';
  for (const name of [left, `brief-${left}.md`, 'git-home', 'sqlite-0123456789abcdef01234567']) mkdirSync(join(home, 'scratch', name));
  const temporal = await createClient(readConfig({ TEMPORAL_ADDRESS: '127.0.0.1:1' }).temporal);
  await clearScratch(home, silent);
  await failUnfinished(home, temporal, silent);
  await temporal.connection.close();
  expect(readdirSync(join(home, 'running'))).toEqual([]);
  expect(readdirSync(join(home, 'workers'))).toEqual([String(process.pid)]);
  // What a retry looks for under its key stays.
  expect(readdirSync(join(home, 'scratch')).sort()).toEqual(['git-home', 'sqlite-0123456789abcdef01234567']);
});

test('while another worker lives on the data directory, nothing is cleared', async () => {
  const other = { worker: { pid: process.ppid, started: 'unknown here' }, pids: 'another pid namespace' };
  writeFileSync(join(home, 'workers', String(process.ppid)), JSON.stringify(other));
  const left = join(home, 'scratch', '0a1b2c3d-0000-4000-8000-000000000000.log');
  writeFileSync(left, 'somebody writes this');
  await clearScratch(home, silent);
  expect(readdirSync(join(home, 'scratch'))).toContain('0a1b2c3d-0000-4000-8000-000000000000.log');
});
