/**
 * Embedded Temporal: finds or provides the dev server's binary, and starts it with the settings that were measured.
 * Search order: PATH, our cache, the SDK's download, `go install`. (`TEMPORAL_ADDRESS` starts nothing at all.)
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';

const run = promisify(execFile);

/** The CLI that the settings below were measured with; later ones do not install by `go install`. */
const cliVersion = 'v1.5.1';
const minimumServer = [1, 29, 0] as const;

/** In the user's cache, so that a new data directory builds nothing. */
export const cacheFolder = (): string => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mission-control', 'temporal');

type Say = (line: string) => void;

/**
 * Path of a usable `temporal` binary.
 * @throws Error listing every place that was tried and why it failed
 */
export async function findTemporal(say: Say): Promise<string> {
  const cached = join(cacheFolder(), 'temporal');
  const attempts: [string, () => Promise<string>][] = [
    ['temporal on PATH', onPath],
    ['our cache', async () => { await access(cached, constants.X_OK); return cached; }],
    ['the SDK\'s download', () => download(cached, say)],
    ['go install', () => goInstall(cached, say)],
  ];
  const failures: string[] = [];
  for (const [name, attempt] of attempts) {
    try {
      const path = await attempt();
      await requireServer(path);
      return path;
    } catch (error) {
      failures.push(`  ${name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  throw new Error(`no Temporal server could be found or made:\n  TEMPORAL_ADDRESS: not set\n${failures.join('\n')}`);
}

/** @throws Error when there is none */
export async function onPath(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'temporal');
    if (folder !== '' && await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  throw new Error('not there');
}

/**
 * The version of the server inside: an installed CLI calls itself `0.0.0-DEV (Server 1.29.1, …)`.
 * @throws Error when it is too old, or says nothing
 */
export async function requireServer(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 10_000 });
  const version = /Server (\d+)\.(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number);
  if (version === undefined) throw new Error(`${path} does not name its server version: ${stdout.trim()}`);
  const older = version.findIndex((part, i) => part !== minimumServer[i]);
  if (older !== -1 && version[older]! < minimumServer[older]!) {
    throw new Error(`${path} has server ${version.join('.')}, at least ${minimumServer.join('.')} is needed`);
  }
  return version.join('.');
}

/** The SDK knows where Temporal keeps its binaries. Given up within 5 s when there is no connection. */
async function download(target: string, say: Say): Promise<string> {
  await fetch('https://temporal.download/', { method: 'HEAD', signal: AbortSignal.timeout(5_000) })
    .catch((error: Error) => { throw new Error(`no connection (${error.cause instanceof Error ? error.cause.message : error.message})`); });
  say(`downloading the Temporal CLI ${cliVersion}`);
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const folder = `${target}.download`;
  await mkdir(folder, { recursive: true });
  try {
    const server = await TestWorkflowEnvironment.createLocal({
      server: { executable: { type: 'cached-download', version: cliVersion, downloadDir: folder } },
    });
    await server.teardown();
    const [file] = (await readdir(folder)).filter((name) => name.startsWith('temporal'));
    if (file === undefined) throw new Error('the download left no binary');
    await rename(join(folder, file), target);
    return target;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function goInstall(target: string, say: Say): Promise<string> {
  const { stdout } = await run('go', ['version']).catch(() => { throw new Error('go is not installed'); });
  const [major = 0, minor = 0] = /go(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number) ?? [];
  if (major < 1 || (major === 1 && minor < 25)) throw new Error(`go 1.25 or later is needed, this is ${stdout.trim()}`);
  const folder = `${target}.build`;
  await mkdir(folder, { recursive: true });
  const started = Date.now();
  const seconds = (): number => Math.round((Date.now() - started) / 1_000);
  say(`building the Temporal CLI ${cliVersion} with go install: once, about 2 minutes`);
  const timer = setInterval(() => say(`  still building (${seconds()} s)`), 15_000);
  try {
    await run('go', ['install', '-ldflags=-s -w', `github.com/temporalio/cli/cmd/temporal@${cliVersion}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '' }, maxBuffer: 64 * 1024 * 1024,
    });
    await rename(join(folder, 'temporal'), target);
    say(`built in ${seconds()} s`);
    return target;
  } finally {
    clearInterval(timer);
    await rm(folder, { recursive: true, force: true });
  }
}

export interface TemporalServer {
  address: string;
  uiUrl: string;
  /** @param output file descriptors for its standard output and error */
  spawn(output: [number, number]): ChildProcess;
  ready(signal: AbortSignal): Promise<void>;
}

/**
 * Each of these was measured on server 1.29.1; a wrong key is silently ignored, so a test asserts their effect.
 * Defaults cost up to 50 ms per task dispatch and up to a second per timer.
 */
const dynamicConfig = [
  'history.transferProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxTimeShift="10ms"',
  'system.enableActivityEagerExecution=true',
  'system.enableEagerWorkflowStart=true',
  'system.forceSearchAttributesCacheRefreshOnRead=false',
];

/** The dev server with a SQLite file in the data directory. `synchronous` trades a power cut's last moments for speed. */
export function temporalServer(
  binary: string, databaseFile: string, port: number, uiPort: number, namespace: string, synchronous: 'normal' | 'full',
): TemporalServer {
  const args = [
    'server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort),
    '--db-filename', databaseFile, '--namespace', namespace, '--log-level', 'error',
    '--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', `synchronous=${synchronous}`,
    ...dynamicConfig.flatMap((setting) => ['--dynamic-config-value', setting]),
  ];
  const address = `127.0.0.1:${port}`;
  return {
    address,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    spawn: (output) => spawn(binary, args, { stdio: ['ignore', ...output], detached: true, cwd: '/', env: { PATH: process.env['PATH'], HOME: '/nonexistent' } }),
    async ready(signal) {
      for (;;) {
        signal.throwIfAborted();
        const connection = Connection.lazy({ address });
        try {
          await connection.withDeadline(Date.now() + 500, () => connection.workflowService.describeNamespace({ namespace }));
          return;
        } catch {
          await new Promise((resolve) => { setTimeout(resolve, 25); });
        } finally {
          await connection.close();
        }
      }
    },
  };
}
