/** The servers that Mission Control stands on: those that run, or those that a start would take. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import pg from 'pg';
import { connectionOptions } from '../../../engine/client.ts';
import { postgresPort, temporalPort, temporalUiPort } from '../../launcher/main.ts';
import { isFree } from '../../launcher/ports.ts';
import { findBinaries } from '../../launcher/postgres.ts';
import { portHolder } from '../../../processes.mjs';
import { cacheFolder, onPath, requireServer } from '../../launcher/temporal.ts';
import { fail, ok, warn } from './check.ts';
import type { Subject } from './examine.ts';

const run = promisify(execFile);
const answerWithinMs = 3_000;

/** Where the database is: of what runs, else as the environment says; undefined: a start would provide one. */
export async function databaseUrl({ run, config }: Subject): Promise<string | undefined> {
  if (run !== undefined) return (await readFile(run.database_url_file, 'utf8')).trim();
  return config.databaseUrl;
}

export async function postgres(subject: Subject) {
  const url = await databaseUrl(subject);
  if (url === undefined) {
    const { postgres: binary } = await findBinaries();
    const { stdout } = await run(binary, ['--version'], { cwd: '/' });
    return ok(`embedded: ${stdout.trim()} (not running)`);
  }
  try {
    const { version, ms } = await withDatabase(url, async (client) => {
      const started = performance.now();
      const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version_num') AS version");
      return { version: Math.floor(Number(rows[0]?.version) / 10_000), ms: Math.round(performance.now() - started) };
    });
    return version >= 14 ? ok(`version ${version} answers in ${ms} ms at ${new URL(url).host}`)
      : fail(`version ${version} at ${new URL(url).host}; 14 or later is needed`, 'name another server in DATABASE_URL, or none');
  } catch (error) {
    // The message, never the address: it holds the password.
    return fail(`does not answer: ${(error as { code?: string }).code ?? (error as Error).message}`,
      subject.run === undefined ? 'is DATABASE_URL right?' : `see ${join(subject.home, 'logs', 'postgres.log')}; the launcher starts it again by itself`);
  }
}

export async function withDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: answerWithinMs, query_timeout: answerWithinMs });
  // A server that goes away while we are connected is said by the query.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export async function temporal({ run, config, home }: Subject) {
  const address = run?.temporal_address ?? config.temporal.address;
  if (address === undefined) return temporalBinary();
  const namespace = run?.temporal_namespace ?? config.temporal.namespace;
  const connection = Connection.lazy(await connectionOptions({ ...config.temporal, address }));
  try {
    const { serverVersion } = await connection.withDeadline(Date.now() + answerWithinMs, async () => {
      await connection.workflowService.describeNamespace({ namespace });
      return connection.workflowService.getSystemInfo({});
    });
    return ok(`server ${serverVersion ?? 'of unknown version'} answers at ${address}`);
  } catch (error) {
    return fail(`${address} does not answer: ${(error as Error).message.split('\n')[0]}`,
      run === undefined ? 'are TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE right?' : `see ${join(home, 'logs', 'temporal.log')}; the launcher starts it again by itself`);
  } finally {
    await connection.close();
  }
}

/** The places that need no network, in the order in which a start looks. */
async function temporalBinary() {
  const cached = join(cacheFolder(), 'temporal');
  const refused: string[] = [];
  for (const [place, find] of [
    ['on PATH', onPath],
    ['in our cache', () => access(cached, constants.X_OK).then(() => cached)],
  ] as const) {
    const path = await find().catch(() => undefined);
    if (path === undefined) continue;
    try {
      return ok(`embedded: server ${await requireServer(path)} found ${place}, ${path} (not running)`);
    } catch (error) {
      refused.push((error as Error).message.split('\n')[0]!);
    }
  }
  return warn(`no usable binary on PATH or in ${cacheFolder()}${refused.length === 0 ? '' : ` (${refused.join('; ')})`}; the first start downloads it, or builds it with Go 1.25`,
    'nothing, if this host has a network; else install the Temporal CLI (https://docs.temporal.io/cli) or set TEMPORAL_ADDRESS');
}

export async function portsFree({ run, config }: Subject) {
  if (run !== undefined) return ok(`in use by what runs: api ${run.api_url}, Temporal ${run.temporal_address}`);
  if (config.port !== 0 && !(await isFree(config.host, config.port))) {
    const holder = portHolder(config.port);
    return fail(`${config.port} on ${config.host} is taken${holder === undefined ? '' : ` by ${holder}`}`, 'stop that, or choose another MISSION_CONTROL_PORT');
  }
  const wanted = [
    ...(config.databaseUrl === undefined ? [postgresPort] : []), ...(config.temporal.address === undefined ? [temporalPort, temporalUiPort] : []),
  ];
  const free = await Promise.all(wanted.map(async (port) => ({ port, free: await isFree('127.0.0.1', port) })));
  const taken = free.filter((port) => !port.free).map(({ port }) => port);
  const said = config.port === 0 ? 'the api takes a free port' : `${config.port} is free for the api`;
  return ok(taken.length === 0 ? said : `${said}; ${taken.join(', ')} taken, the embedded servers take others`);
}
