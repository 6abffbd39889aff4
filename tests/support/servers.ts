/** Servers of a test's own, to be killed and brought back; and an api in front of them. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { inject } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import { preparePostgres } from '../../src/cli/launcher/postgres.ts';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { temporalServer } from '../../src/cli/launcher/temporal.ts';
import { readConfig } from '../../src/config.ts';
import { createClient } from '../../src/engine/client.ts';
import { createGit } from '../../src/git/git.ts';
import { createMirrors } from '../../src/git/mirror.ts';
import { openHome, pepperOf } from '../../src/home.ts';
import type { Logger } from '../../src/log.ts';
import { createArtifacts } from '../../src/store/artifacts.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { createDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { silent } from './database.ts';

export interface OwnServer {
  /** URL of a database, address of an engine. */
  address: string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

async function ownServer(prepare: (home: string) => Promise<Startable>): Promise<OwnServer> {
  const home = await mkdtemp(join(tmpdir(), 'mission-control-server-'));
  await openHome(home);
  const startable = await prepare(home);
  let child: ChildProcess | undefined;
  const server: OwnServer = {
    address: startable.address,
    async start() {
      const log = openSync(join(home, 'server.log'), 'a');
      child = startable.spawn([log, log]);
      await startable.ready(AbortSignal.timeout(90_000));
    },
    async kill() {
      if (child?.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
    async remove() {
      await startable.end();
      await server.kill();
      await rm(home, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

interface Startable {
  address: string;
  spawn(output: [number, number]): ChildProcess;
  ready(signal: AbortSignal): Promise<void>;
  end(): Promise<void>;
}

export const ownTemporal = (): Promise<OwnServer> => ownServer(async (home) => ({
  ...temporalServer(inject('temporalBinary'), join(home, 'temporal.sqlite'), await freePort(0), await freePort(0), 'default', 'normal'),
  end: async () => undefined,
}));

/** A PostgreSQL of its own: the one that all tests share must not be stopped. */
export async function ownPostgres(): Promise<OwnServer> {
  const server = await ownServer(async (home) => {
    const cluster = await preparePostgres(home, await freePort(0), () => undefined);
    return { ...cluster, address: cluster.url, end: () => cluster.stop().catch(() => undefined) };
  });
  await migrate(server.address);
  return server;
}

export interface OwnApi { url: string; app: FastifyInstance; pepper: Buffer; db: { database: ReturnType<typeof createDatabase> }; close(): Promise<void> }

/** The api as it is started for people, with servers and a log of the test's choice. */
export async function startApi({ home, databaseUrl, temporal: address, logger = silent }: { home: string; databaseUrl: string; temporal: string; logger?: Logger }): Promise<OwnApi> {
  const config = readConfig({ MISSION_CONTROL_HOME: home, DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: address, MISSION_CONTROL_ENVIRONMENT: 'test' });
  const pepper = await pepperOf(home);
  const database = createDatabase(databaseUrl, logger);
  const temporal = await createClient(config.temporal);
  const git = createGit(join(home, 'scratch', 'git-home'), config.git);
  const app = await buildApp({
    config, logger, database, temporal, git, pepper, artifacts: createArtifacts(config.artifacts, database.query),
    catalog: createCatalog(config.configFolder, database), mirrors: createMirrors(git, join(home, 'mirrors'), config.repoRoots),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    app, pepper, db: { database }, url: `http://127.0.0.1:${(app.server.address() as { port: number }).port}`,
    async close() {
      await app.close();
      await Promise.allSettled([temporal.connection.close(), database.close()]);
    },
  };
}
