/** A real service that dies and comes back, watched by the real thing. */
import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../src/domain/finding-record.ts';
import { projectRoot } from '../../src/project.ts';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let port: number;
let server: Server | undefined;

const serve = async (): Promise<void> => {
  server = createServer((_request, response) => response.end('well'));
  await new Promise<void>((resolve) => { server!.listen(port, '127.0.0.1', resolve); });
};
const die = async (): Promise<void> => {
  server?.closeAllConnections();
  await new Promise((resolve) => { server!.close(resolve); });
};

beforeAll(async () => {
  system = await startSystem();
  port = await freePort(0);
  await serve();
  const policy = await readFile(join(projectRoot, 'config', 'policy.yaml'), 'utf8');
  await system.configure('policy.yaml', policy.replace('allow: []', `allow: ["127.0.0.1:${port}"]`));
  await system.configure('subsystems.yaml', `
subsystems:
  shop:
    name: The shop
    probes:
      - {id: front, kind: http, url: "http://127.0.0.1:${port}/", interval_seconds: 1, for_seconds: 2, keep_firing_for_seconds: 2, symptom: service_down}
  till:
    name: The till
    depends_on: [shop]
    probes:
      - {id: front, kind: tcp, host: 127.0.0.1, port: ${port}, interval_seconds: 1, symptom: service_down}
`);
  await system.startWorker();
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await system.stop();
});

interface Part { id: string; state: string; inhibited_by: string | null }
const health = async (id: string): Promise<Part | undefined> =>
  (await system.db.database.query<Part>('SELECT subsystem_id AS id, state, inhibited_by FROM subsystem_health WHERE subsystem_id = $1', [id]))[0];
const findings = (subsystem: string): Promise<Finding[]> =>
  system.db.database.query<Finding>('SELECT * FROM findings WHERE subsystem_id = $1 ORDER BY created_seq', [subsystem]);
const stateChanges = async (finding_id: string): Promise<string[]> => (await system.db.database.query<{ state: string }>(
  `SELECT payload->>'state' AS state FROM events JOIN event_payloads USING (event_id) WHERE type LIKE 'finding.%' AND payload->>'finding_id' = $1 ORDER BY ts, event_id`, [finding_id]))
  .map((row) => row.state);

test('a service that dies and comes back: pending, firing, recovering, resolved; what depends on it is inhibited', async () => {
  await system.until(async () => (await health('shop'))?.state === 'healthy' && (await health('till'))?.state === 'healthy');
  expect(await findings('shop')).toEqual([]);
  await die();
  const [firing] = await system.until(async () => {
    const all = await findings('shop');
    return all[0]?.state === 'FIRING' && all;
  });
  expect(firing).toMatchObject({ symptom: 'service_down', source: 'probe', condition: 'FIRING' });
  expect(await health('shop')).toMatchObject({ state: 'unhealthy' });
  expect(await health('till')).toMatchObject({ state: 'unhealthy', inhibited_by: 'shop' });
  expect(await findings('till')).toMatchObject([{ state: 'INHIBITED', inhibited_by: 'shop', condition: 'FIRING' }]);

  // Another worker takes over.
  await system.stopWorker();
  await serve();
  await system.startWorker();
  await system.until(async () => (await findings('shop'))[0]?.state === 'RESOLVED' && (await findings('till'))[0]?.state === 'RESOLVED');
  expect(await stateChanges(firing!.finding_id)).toEqual(['PENDING', 'FIRING', 'RECOVERING', 'RESOLVED']);
  expect(await findings('shop')).toHaveLength(1);
  expect(await health('till')).toMatchObject({ state: 'healthy', inhibited_by: null });
});
