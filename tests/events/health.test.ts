import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/http.ts';
import { startStreaming, type StreamSystem } from '../support/stream.ts';

let system: StreamSystem;
beforeAll(async () => { system = await startStreaming(); });
afterAll(() => system.close());

async function streamHealth(): Promise<Record<string, unknown>> {
  const { body } = await call(system.url, '/mission-control/subsystems/event_stream', { key: system.key });
  return body;
}

async function allowConnections(yes: 'true' | 'false'): Promise<void> {
  const client = new pg.Client({ connectionString: Object.assign(new URL(system.db.url), { pathname: '/postgres' }).href });
  await client.connect();
  await client.query(`ALTER DATABASE ${system.db.name} ALLOW_CONNECTIONS ${yes}`);
  await client.end();
}

test('the stream is well while it follows the ledger, and not while it cannot', async () => {
  const { query } = system.db.database;
  await system.ledger.write(3);
  await system.settled();
  expect(await streamHealth()).toMatchObject({ state: 'healthy', reason: null, measured_at: expect.any(String) });

  // Connections that there are stay, new ones are refused: the stream hears nothing any more, everything else goes on.
  await allowConnections('false');
  try {
    await query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mission-control-mission_control_sealed' AND datname = current_database()");
    await system.ledger.write(2);
    await system.settled();
    await system.ledger.until(async () => (await streamHealth())['state'] === 'unhealthy');
    expect((await streamHealth())['reason']).toContain('not connected');
  } finally {
    await allowConnections('true');
  }
  await system.ledger.until(async () => (await streamHealth())['state'] === 'healthy');
});
