/** A ledger on a database of its own: events written as the system writes them, sealed by real sealers. */
import { generateKeyPairSync } from 'node:crypto';
import pg from 'pg';
import { systemActor } from '../../src/domain/actor.ts';
import { noSubject, type NewEvent } from '../../src/domain/event.ts';
import { createSigner, type Signer } from '../../src/ledger/note.ts';
import { startSealer, type Sealer } from '../../src/ledger/sealer.ts';
import { connectionTo } from '../../src/store/database.ts';
import { insertEvents } from '../../src/store/events.ts';
import { latestSeq } from '../../src/store/ledger.ts';
import { announceKey } from '../../src/worker/ledger.ts';
import { copyDatabase } from './database.ts';

export type TestLedger = Awaited<ReturnType<typeof openLedger>>;

export const newSigner = (name = 'mission-control/test'): Signer =>
  createSigner(name, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());

export async function openLedger() {
  const db = await copyDatabase();
  const signer = newSigner();
  const { query } = db.database;
  const sealers = new Set<Sealer>();
  const published: string[] = [];
  const said: ({ event: string } & Record<string, unknown>)[] = [];
  let written = 0;

  const listener = new pg.Client({ connectionString: db.url });
  await listener.connect();
  await listener.query('LISTEN mission_control_sealed');

  const ledger = {
    db, query, signer, published, said,
    start(more: Partial<Parameters<typeof startSealer>[0]> = {}): Sealer {
      const sealer = startSealer({
        connect: () => connectionTo(db.url, 'test-sealer'), signer, announceKey,
        published: (note) => { published.push(note); }, log: (_level, fields) => { said.push(fields); }, ...more,
      });
      sealers.add(sealer);
      return sealer;
    },
    event: (more: Partial<NewEvent> = {}): NewEvent => {
      written += 1;
      return { type: 'mission.waiting', actor: systemActor('test'), subject: noSubject, payload: { number: written }, idempotency_key: `test:${written}`, ...more };
    },
    write: (count: number, more: Partial<NewEvent> = {}): Promise<unknown> =>
      db.database.transaction((query) => insertEvents(query, Array.from({ length: count }, () => ledger.event(more)))),
    /** Looks whenever a batch was sealed, and every second. */
    async until(look: () => Promise<boolean>): Promise<void> {
      while (!await look()) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(done, 1_000);
          function done(): void {
            clearTimeout(timer);
            listener.off('notification', done);
            resolve();
          }
          listener.on('notification', done);
        });
      }
    },
    whenSealed: (seq: number): Promise<void> => ledger.until(async () => await latestSeq(query) >= seq),
    /** As a superuser who switches the triggers off: what the insert-only tables do not stop. */
    async tamper(...statements: string[]): Promise<void> {
      const client = new pg.Client({ connectionString: db.url });
      await client.connect();
      try {
        await client.query('SET session_replication_role = replica');
        for (const statement of statements) await client.query(statement);
      } finally {
        await client.end();
      }
    },
    async close(): Promise<void> {
      await Promise.all([...sealers].map((sealer) => sealer.stop()));
      await listener.end();
      await db.drop();
    },
  };
  return ledger;
}
