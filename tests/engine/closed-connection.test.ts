import { expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createClient } from '../../src/engine/client.ts';

test('a call that waits for its next try when the connection is closed ends, and ends nothing else', async () => {
  const client = await createClient(readConfig({ TEMPORAL_ADDRESS: '127.0.0.1:1', TEMPORAL_API_KEY: 'a-secret' }).temporal);
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
