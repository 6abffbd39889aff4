/** `kill -9` of the worker while a message is on its way: another worker brings it, and its receiver knows it again. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../src/project.ts';
import type { ListedDelivery } from '../../src/store/notifications.ts';
import { eventually, identities, killHard, launch, restarted, stopLaunched, type Launched } from '../support/launched.ts';
import { webReceiver, type WebReceiver } from '../support/receivers.ts';
import { temporaryFolder } from '../support/repository.ts';

const secret = 'a-secret-of-the-fault-test';
let system: Launched;
let hook: WebReceiver;
beforeAll(async () => {
  // The first request is taken and never answered: nobody can know whether it arrived.
  hook = await webReceiver((_, n) => (n === 1 ? new Promise<number>(() => undefined) : 200));
  const home = temporaryFolder();
  const config = join(home, 'test-config');
  await cp(join(projectRoot, 'config'), config, { recursive: true });
  const policy = await readFile(join(config, 'policy.yaml'), 'utf8');
  await writeFile(join(config, 'policy.yaml'), policy.replace('allow: []', `allow: ["127.0.0.1:${hook.port}"]`));
  await writeFile(join(config, 'notifications.yaml'), `channels: { hook: { kind: webhook, url: "${hook.url}", secret_env: FAULT_SECRET } }\nroutes: []\n`);
  system = await launch(home, [], { MISSION_CONTROL_CONFIG: config, FAULT_SECRET: secret });
}, 180_000);
afterAll(async () => {
  await hook.close();
  await stopLaunched(system);
}, 30_000);

async function deliveredEvents(deliveryId: string): Promise<number> {
  const client = new pg.Client({ connectionString: (await readFile(system.run().database_url_file, 'utf8')).trim() });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM events JOIN event_payloads USING (event_id) WHERE type = 'notification.delivered' AND payload->>'delivery_id' = $1", [deliveryId]);
    return rows[0]!.n;
  } finally {
    await client.end();
  }
}

test('the message is sent again with the same id and the same body, and told as delivered once', async () => {
  const { delivery_id } = await system.api().post<{ delivery_id: string }>('/mission-control/notifications/test', { channel: 'hook' });
  const first = await hook.nth(1);
  const before = identities(system).worker;
  await killHard(before);
  await restarted(system, 'worker', before);
  const second = await hook.nth(2);
  expect([first, second].map((one) => one.headers['mission-control-delivery'])).toEqual([delivery_id, delivery_id]);
  expect(second.body).toBe(first.body);
  const delivered = await eventually(async () => {
    const { items } = await system.api().get<{ items: ListedDelivery[] }>('/mission-control/notifications');
    return items.find((one) => one.delivery_id === delivery_id && one.state === 'delivered');
  });
  expect(delivered.attempts).toBeGreaterThan(1);
  expect(await deliveredEvents(delivery_id)).toBe(1);
  expect(system.output.join('\n')).not.toContain(secret);
}, 90_000);
