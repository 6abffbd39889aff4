/** The sealer in its place: the log's key from the data directory, connections, and where checkpoints are published. */
import { mkdir, writeFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { systemActor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { Git } from '../git/git.ts';
import { ledgerPaths, ledgerSigner } from '../home.ts';
import type { Signer } from '../ledger/note.ts';
import { startSealer, type Sealer } from '../ledger/sealer.ts';
import type { Logger } from '../log.ts';
import { connectionTo, type Query } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import { publishCheckpoints } from './checkpoints.ts';

export interface LedgerWorker { stop(): Promise<void> }

export async function startLedger(config: Config, databaseUrl: string, git: Git, logger: Logger): Promise<LedgerWorker> {
  const signer = await ledgerSigner(config.ledgerKey, 'make');
  const paths = ledgerPaths(config.home);
  await mkdir(paths.folder, { recursive: true, mode: 0o700 });
  /** Only a key that signs is named as one to trust: that of a host whose key is another one is not. */
  let named: Promise<void> | undefined;
  const nameKey = (): Promise<void> => writeFile(paths.vkey, `${signer.vkey}\n`, { mode: 0o600 })
    .catch((error: Error) => { logger.error({ event: 'ledger.key_unnamed', reason: error.message }); });
  const publisher = publishCheckpoints(paths, git, logger);
  const sealer: Sealer = startSealer({
    connect: () => connectionTo(databaseUrl, 'mission-control-sealer'),
    signer, announceKey,
    published: (note) => {
      named ??= nameKey();
      publisher.publish(note);
    },
    log: (level, fields) => { logger[level](fields); },
  });
  return {
    async stop() {
      await sealer.stop();
      await Promise.all([publisher.stop(), named]);
    },
  };
}

/** The registry of log keys is in the log itself: its first record names the key that signs it. */
export const announceKey = async (query: Query, { name, key_id, vkey }: Signer): Promise<void> => {
  await insertEvents(query, [{
    type: 'log_key.added', actor: systemActor('sealer'), subject: noSubject, idempotency_key: `log_key:${key_id}`,
    payload: { log_id: name, key_id, vkey, from_seq: 1 },
  }]);
};
