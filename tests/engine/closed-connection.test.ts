import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { TemporalConfig } from '../../src/config.ts';
import { createClient } from '../../src/engine/client.ts';

/** Where nothing listens: it did, a moment ago. */
async function deadAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => { server.close(resolve); });
  return `127.0.0.1:${port}`;
}

const configFor = (address: string): TemporalConfig =>
  ({ address, namespace: 'default', apiKey: 'a-secret', tls: false, certFile: undefined, keyFile: undefined, caFile: undefined, uiUrl: undefined });

test('a call that waits for its next try when the connection is closed ends, and ends nothing else', async () => {
  const client = await createClient(configFor(await deadAddress()));
  // It is tried ten times, with pauses that grow.
  const call = client.workflowService.getSystemInfo({}).then(() => 'answered', (error: unknown) => error);
  // The first try has failed once another call, which may be tried but once, has.
  await client.withDeadline(Date.now() + 50, () => client.workflowService.getSystemInfo({})).catch(() => undefined);
  await client.connection.close();
  const error = await call;
  expect(error).toMatchObject({ code: 1, details: 'Channel has been shut down' });
  expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('a-secret');
  await expect(client.workflowService.getSystemInfo({})).rejects.toMatchObject({ code: 1 });
}, 20_000);
