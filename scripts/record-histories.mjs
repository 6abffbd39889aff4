/**
 * Writes the histories of ended workflows of a running system to tests/replay/histories, one of each kind and outcome.
 * Run it after missions of every outcome have ended: MISSION_CONTROL_HOME=… node scripts/record-histories.mjs LABEL
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

const label = process.argv[2];
if (label === undefined) {
  console.error('usage: node scripts/record-histories.mjs LABEL');
  process.exit(64);
}
const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'tests', 'replay', 'histories');
const home = resolve(process.env.MISSION_CONTROL_HOME || '.mission-control');
const run = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8'));
const client = new Client({ connection: await Connection.connect({ address: run.temporal_address }), namespace: run.temporal_namespace });

const kebab = (name) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
/** A history says what happened, not where: data directory, process and host names are replaced. */
function withoutPlace(key, value) {
  if (typeof value !== 'string') return value;
  if (key === 'identity') return 'worker@host';
  if (key !== 'data') return value;
  return Buffer.from(Buffer.from(value, 'base64').toString('utf8').replaceAll(home, '/srv/mission-control')).toString('base64');
}

for await (const execution of client.workflow.list()) {
  if (execution.status.name !== 'COMPLETED' || execution.type.startsWith('temporal-sys')) continue;
  const handle = client.workflow.getHandle(execution.workflowId, execution.runId);
  const result = await handle.result().catch(() => undefined);
  const outcome = result?.outcome ?? result?.verdict?.verdict?.toLowerCase() ?? 'done';
  const file = join(folder, `${kebab(execution.type)}-${outcome}-${label}.json`);
  if (existsSync(file)) continue;
  const history = JSON.parse(historyToJSON(await handle.fetchHistory()), withoutPlace);
  writeFileSync(file, `${JSON.stringify(history)}\n`);
  console.log(file);
}
await client.connection.close();
