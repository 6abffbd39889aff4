/** Process: the HTTP api. */
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { readConfig } from '../config.ts';
import { createClient } from '../engine/client.ts';
import { createGit } from '../git/git.ts';
import { createMirrors } from '../git/mirror.ts';
import { openHome, pepperOf, requirePrivate } from '../home.ts';
import { createLogger } from '../log.ts';
import { createArtifacts } from '../store/artifacts.ts';
import { createCatalog } from '../store/catalog.ts';
import { createDatabase } from '../store/database.ts';
import { readPolicy } from '../store/policy.ts';
import { ensureAdminKey } from './admin-key.ts';
import { buildApp } from './app.ts';

const logger = createLogger('api');
const config = readConfig();
if (config.databaseUrl === undefined) throw new Error('DATABASE_URL is not set; `npm start` provides an embedded PostgreSQL');
if (!['127.0.0.1', '::1', 'localhost'].includes(config.host) && !config.allowPlainHttp) {
  throw new Error(`MISSION_CONTROL_HOST=${config.host} would send API keys in the clear; put TLS in front and set MISSION_CONTROL_ALLOW_PLAIN_HTTP=yes`);
}
await openHome(config.home);
await requirePrivate([config.git.credentials, config.git.sshKey]);

const database = createDatabase(config.databaseUrl, logger);
const pepper = await pepperOf(config.home);
const catalog = createCatalog(config.configFolder, database, logger);
// A bad configuration stops the start instead of the first mission.
await Promise.all([readPolicy(config.configFolder), catalog.fromFile()]);
await ensureAdminKey(config.home, database, pepper);

const temporal = await createClient(config.temporal);
const git = createGit(join(config.home, 'scratch', 'git-home'), config.git);
const app = await buildApp({
  config, logger, database, catalog, temporal, git, pepper,
  mirrors: createMirrors(git, join(config.home, 'mirrors'), config.repoRoots),
  artifacts: createArtifacts(config.artifacts, database.query),
});
closeWithGrace({ delay: 8_000, logger: { error: (error: unknown) => logger.error({ event: 'api.close_failed', err: error }) } }, async ({ err }) => {
  if (err) logger.error({ event: 'api.crashed', err });
  await app.close();
  await Promise.allSettled([temporal.connection.close(), database.close()]);
  logger.info({ event: 'api.stopped' });
});
await app.listen({ host: config.host, port: config.port });
logger.info({ event: 'api.ready', port: config.port });
