/** The launcher: provides PostgreSQL and Temporal where none are named, starts worker and api, keeps them running. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { chmod, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig, type Config } from '../../config.ts';
import { workflowsUrl } from '../../engine/ui.ts';
import { namespaceOf, openHome } from '../../home.ts';
import { projectRoot } from '../../project.ts';
import { migrate } from '../../store/migrate.ts';
import { createClient } from '../client.ts';
import type { HealingDemo } from '../healing-demo/demo.ts';
import { signInLink } from '../sign-in-link.ts';
import { forgetChildren, rememberChildren, replaceFile, stopLeftovers } from './leftovers.ts';
import { freePort, requirePort } from './ports.ts';
import { preparePostgres } from './postgres.ts';
import { supervise, type ChildSpec, type Supervised } from './supervisor.ts';
import { setAsideWhenDamaged } from './temporal-file.ts';
import { findTemporal, temporalServer } from './temporal.ts';

export const postgresPort = 5440;
export const temporalPort = 7233;
export const temporalUiPort = 8233;
const readyWithinMs = 60_000;
const rotateLogAt = 20 * 1024 * 1024;

/** What scripts, tests and people find in `run.json` while it runs. */
export interface RunFile {
  api_url: string;
  temporal_address: string;
  temporal_namespace: string;
  temporal_ui_url: string | null;
  database_url_file: string;
  pids: Record<string, number | null>;
}

const say = (line: string): void => console.log(line);

/** Runs until a signal ends it. Exits with 1, naming the reason, when it cannot start. */
export async function main({ demo }: { demo: 'none' | 'landing' | 'healing' }): Promise<void> {
  const controller = new AbortController();
  const system = createSystem(controller.signal);
  let healing: HealingDemo | undefined;
  let stopping = false;
  const stop = async (code: number): Promise<void> => {
    if (stopping) {
      say('stopping at once');
      system.killAll();
      process.exit(1);
    }
    stopping = true;
    controller.abort();
    await system.stop();
    await healing?.stop();
    process.exit(code);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      say('\nstopping (once more to kill)');
      void stop(0);
    });
  }
  try {
    if (demo === 'healing') healing = await (await import('../healing-demo/demo.ts')).prepareHealingDemo();
    const run = await system.start();
    if (demo === 'landing') {
      const { runDemo } = await import('../demo.ts');
      await runDemo(run, readConfig().home, controller.signal);
    }
    await healing?.run(run, controller.signal);
    say('\nPress Ctrl-C to stop.');
  } catch (error) {
    if (stopping) return;
    console.error(`\n${(error as Error).message}`);
    await stop(1);
  }
}

function createSystem(signal: AbortSignal) {
  const children: Supervised[] = [];
  let config: Config;
  let runFile: Omit<RunFile, 'pids'> | undefined;
  let writing: Promise<void> = Promise.resolve();

  /** Files with the present pids, after every start and death of a child. */
  function changed(): void {
    writing = writing.then(async () => {
      await rememberChildren(config.home, Object.fromEntries(children.map((child) => [child.name, child.identity])));
      if (runFile !== undefined) await replaceFile(join(config.home, 'run.json'), `${JSON.stringify(withPids(runFile), null, 2)}\n`);
    }).catch((error: Error) => console.error(`the data directory cannot be written: ${error.message}`));
  }

  const withPids = (file: Omit<RunFile, 'pids'>): RunFile => {
    const pid = (name: string): number | null => children.find((child) => child.name === name)?.identity.pid ?? null;
    return { ...file, pids: { launcher: process.pid, api: pid('api'), worker: pid('worker'), temporal: pid('temporal'), postgres: pid('postgres') } };
  };

  function add(spec: ChildSpec): void {
    children.push(supervise(spec, say, changed));
    changed();
  }

  async function start(): Promise<RunFile> {
    const started = performance.now();
    config = readConfig();
    await openHome(config.home);
    await stopLeftovers(config.home, say);
    await rm(join(config.home, 'run.json'), { force: true });
    if (config.port !== 0) await requirePort(config.host, config.port);
    const apiPort = config.port === 0 ? await freePort(0) : config.port;

    const [databaseUrl, temporal] = await Promise.all([database(), engine()]);
    const env = {
      ...process.env, DATABASE_URL: databaseUrl, MISSION_CONTROL_HOME: config.home, MISSION_CONTROL_PORT: String(apiPort),
      TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace, ...(temporal.uiUrl === null ? {} : { TEMPORAL_UI_URL: temporal.uiUrl }),
    };
    for (const name of ['worker', 'api'] as const) {
      const script = join(projectRoot, 'dist', name, 'main.js');
      add({ name, stopWithinMs: 10_000, spawn: () => spawn(process.execPath, ['--enable-source-maps', script], { env, detached: true, stdio: ['ignore', ...logs(name)] }) });
    }

    const apiUrl = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${apiPort}`;
    await ready(apiUrl);
    const urlFile = join(config.home, 'database.url');
    await replaceFile(urlFile, `${databaseUrl}\n`);
    await chmod(urlFile, 0o600);
    runFile = { api_url: apiUrl, temporal_address: temporal.address, temporal_namespace: temporal.namespace, temporal_ui_url: temporal.uiUrl, database_url_file: urlFile };
    changed();
    await writing;
    say([
      '', `Mission Control is ready (${((performance.now() - started) / 1_000).toFixed(1)} s)`,
      ...await dashboardLines(apiUrl),
      `  API          ${apiUrl}/docs`,
      ...(temporal.uiUrl === null ? [] : [`  Temporal UI  ${workflowsUrl(temporal)}`]),
      `  admin key    ${join(config.home, 'admin.key')}`,
      `  logs         ${join(config.home, 'logs')}`,
    ].join('\n'));
    return withPids(runFile);
  }

  /** A link that signs in, once; the plain address where the first admin key opens nothing any more. */
  async function dashboardLines(apiUrl: string): Promise<string[]> {
    try {
      const key = (await readFile(join(config.home, 'admin.key'), 'utf8')).trim();
      return [`  dashboard    ${(await signInLink(createClient(apiUrl, key))).url}`, '               (signs in once, within 10 minutes; another: missionctl open)'];
    } catch {
      return [`  dashboard    ${apiUrl}/`];
    }
  }

  async function database(): Promise<string> {
    let url = config.databaseUrl;
    if (url === undefined) {
      const port = await freePort(postgresPort);
      if (port !== postgresPort) say(`port ${postgresPort} is taken; PostgreSQL gets ${port}`);
      const cluster = await preparePostgres(config.home, port, say);
      add({ name: 'postgres', stopWithinMs: 11_000, stop: () => cluster.stop(), spawn: () => cluster.spawn(logs('postgres')) });
      await cluster.ready(within());
      url = cluster.url;
    }
    const applied = await migrate(config.migrationUrl ?? url);
    if (applied.length > 0) say(`database migrated: ${applied.join(', ')}`);
    return url;
  }

  async function engine(): Promise<{ address: string; namespace: string; uiUrl: string | null }> {
    if (config.temporal.address !== undefined) return { address: config.temporal.address, namespace: config.temporal.namespace, uiUrl: config.temporal.uiUrl ?? null };
    const binary = await findTemporal(say);
    const port = await freePort(temporalPort);
    const uiPort = await freePort(temporalUiPort);
    if (port !== temporalPort) say(`port ${temporalPort} is taken; Temporal gets ${port}`);
    if (uiPort !== temporalUiPort) say(`port ${temporalUiPort} is taken; the Temporal UI gets ${uiPort}`);
    const synchronous = process.env['MISSION_CONTROL_TEMPORAL_SYNCHRONOUS'] === 'full' ? 'full' : 'normal';
    const file = join(config.home, 'temporal.sqlite');
    const namespace = process.env['TEMPORAL_NAMESPACE'] ?? await namespaceOf(config.home);
    const server = temporalServer(binary, file, port, uiPort, namespace, synchronous);
    const checkFile = setAsideWhenDamaged(file, join(config.home, 'logs', 'temporal.log'), say);
    add({
      name: 'temporal', stopWithinMs: 5_000,
      spawn() {
        checkFile();
        return server.spawn(logs('temporal'));
      },
    });
    await server.ready(within());
    // The pragma was once silently ignored by the CLI: without a WAL file a crash could lose what was acknowledged.
    statSync(`${file}-wal`);
    return { ...server, namespace };
  }

  const within = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(readyWithinMs)]);

  /** Files, not pipes: a child must outlive its launcher without losing its voice. */
  function logs(name: string): [number, number] {
    const folder = join(config.home, 'logs');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${name}.log`);
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > rotateLogAt) renameSync(path, `${path}.1`);
    const fd = openSync(path, 'a', 0o600);
    // Closed here once the child has been started with it.
    setImmediate(() => closeSync(fd));
    return [fd, fd];
  }

  async function ready(apiUrl: string): Promise<void> {
    const deadline = within();
    for (;;) {
      if (deadline.aborted) {
        if (signal.aborted) throw new Error('stopped while starting');
        throw new Error(`not ready within ${readyWithinMs / 1_000} s; see ${join(config.home, 'logs')}`);
      }
      const answer = await fetch(`${apiUrl}/health/ready`).catch(() => undefined);
      if (answer?.status === 200) return;
      await new Promise((resolve) => { setTimeout(resolve, 40); });
    }
  }

  /** api, worker, temporal, postgres: nothing writes after its store is gone. */
  const inStopOrder = (): Supervised[] =>
    (['api', 'worker', 'temporal', 'postgres'] as const).flatMap((name) => children.filter((child) => child.name === name));

  return {
    start,
    async stop(): Promise<void> {
      for (const child of inStopOrder()) await child.stop();
      await writing;
      if (config === undefined) return;
      await rm(join(config.home, 'run.json'), { force: true });
      await forgetChildren(config.home);
      say('stopped');
    },
    killAll(): void {
      for (const child of inStopOrder()) child.kill();
    },
  };
}
