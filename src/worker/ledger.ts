/** The sealer in its place: the log's key from the data directory, connections, and where checkpoints are published. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { Config } from '../config.ts';
import { systemActor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { Git } from '../git/git.ts';
import { fileOnce, ledgerPaths } from '../home.ts';
import { createSigner, publicBytes, type Signer } from '../ledger/note.ts';
import { startSealer, type Sealer } from '../ledger/sealer.ts';
import type { Logger } from '../log.ts';
import { connectionTo, type Query } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import { publishCheckpoints } from './checkpoints.ts';

export interface LedgerWorker { stop(): Promise<void> }

export async function startLedger(config: Config, databaseUrl: string, git: Git, logger: Logger): Promise<LedgerWorker> {
  const signer = await logSigner(config.ledgerKey);
  const publisher = publishCheckpoints(ledgerPaths(config.home), git, logger);
  const sealer: Sealer = startSealer({
    connect: () => connectionTo(databaseUrl, 'mission-control-sealer'),
    signer, announceKey,
    published: publisher.publish,
    log: (level, fields) => { logger[level](fields); },
  });
  return {
    async stop() {
      await sealer.stop();
      await publisher.stop();
    },
  };
}

/** The key that signs checkpoints, made at the first start. The log is named after it, so that no two logs share a name. */
async function logSigner(path: string): Promise<Signer> {
  const pem = await fileOnce(path, () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trim());
  const name = createHash('sha256').update(publicBytes(pem)).digest('hex').slice(0, 12);
  return createSigner(`mission-control/${name}`, pem);
}

/** The registry of log keys is in the log itself: its first record names the key that signs it. */
export const announceKey = async (query: Query, { name, key_id, vkey }: Signer): Promise<void> => {
  await insertEvents(query, [{
    type: 'log_key.added', actor: systemActor('sealer'), subject: noSubject, idempotency_key: `log_key:${key_id}`,
    payload: { log_id: name, key_id, vkey, from_seq: 1 },
  }]);
};
