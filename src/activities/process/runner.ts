/** Runs a repository's command under a keeper: time limit, cancellation, capped output, nothing left behind. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { randomUUID } from 'node:crypto';
import type { AskedLimits, LimitHit } from '../../domain/limits.ts';
import type { SandboxPolicy, SandboxUsed } from '../../domain/sandbox.ts';
import { keeperScript } from '../../project.ts';
import { failure } from '../../engine/failure.ts';
import { removeFolder } from '../../git/remove-folder.ts';

export interface RunRequest {
  argv: readonly string[];
  cwd: string;
  /** Named in the environment of everything that runs, so that leftovers are found again. */
  marker: string;
  timeout_seconds: number;
  network: boolean;
  env?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** The policy for repositories' commands. Absent: a tool of ours, run plainly, and what follows has no effect. */
  sandbox?: SandboxPolicy | undefined;
  /** What this command asks for; the defaults for the rest. */
  limits?: AskedLimits | undefined;
  /** More of this host that the command needs, absolute paths: a dependency cache, for instance. `cwd` is always writable. */
  writable?: readonly string[] | undefined;
  readable?: readonly string[] | undefined;
}

export interface RunResult {
  exit_code: number | null;
  signal: string | null;
  timed_out: boolean;
  duration_ms: number;
  /** File with standard output and error, interleaved, capped. The caller moves or removes it. */
  output_file: string;
  /** First bytes of standard output alone, for reports printed there. */
  stdout: string;
  truncated: boolean;
  sandbox: SandboxUsed;
  /** The limit that the run came up against; null when there was none. */
  limit: LimitHit | null;
}

export interface ProcessRunner {
  run(request: RunRequest): Promise<RunResult>;
  /** Kills every process that carries the marker; waits until they are gone. */
  sweep(marker: string): Promise<number>;
}

const markerName = 'MISSION_CONTROL_RUN';
const commandNodeOptions = 'MISSION_CONTROL_COMMAND_NODE_OPTIONS';
const maxOutputBytes = 10 * 1024 * 1024;
const graceMs = 2_000;
/** After the command ended, how long a process that escaped its group may keep our pipe open. */
const drainMs = 500;

/** Variables of ours that a command may see. Everything else, secrets above all, stays here. */
const allowed = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'GOPATH', 'GOMODCACHE', 'CARGO_HOME', 'RUSTUP_HOME', 'JAVA_HOME', 'PYENV_ROOT'];
const allowedWithNetwork = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy',
  'npm_config_registry', 'NPM_CONFIG_USERCONFIG', 'PIP_INDEX_URL', 'GOPROXY', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'];

/** @param scratch a folder of ours for output files and the commands' own HOME and TMPDIR */
export function createProcessRunner(scratch: string): ProcessRunner {
  // Two systems on one host count their missions alike: each finds again only what it started itself.
  const system = createHash('sha256').update(resolve(scratch)).digest('hex').slice(0, 12);
  const own = (marker: string): string => `${marker}@${system}`;
  return {
    sweep: (marker) => sweep(own(marker)),
    async run(asked) {
      const request = { ...asked, marker: own(asked.marker) };
      const folder = join(scratch, randomUUID());
      const home = join(folder, 'home');
      const tmp = join(folder, 'tmp');
      await Promise.all([home, tmp].map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
      const outputFile = join(scratch, `${randomUUID()}.log`);
      try {
        return await supervise(request, commandEnvironment(request, home, tmp), outputFile);
      } catch (error) {
        await rm(outputFile, { force: true });
        throw error;
      } finally {
        await removeFolder(folder);
      }
    },
  };
}

/** What a command sees of our environment. Part of the environment digest of cached results. */
export function commandEnvironment(request: Pick<RunRequest, 'network' | 'marker' | 'env'>, home: string, tmp: string): Record<string, string> {
  const names = request.network ? [...allowed, ...allowedWithNetwork] : allowed;
  const passed = names.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passed),
    HOME: home, TMPDIR: tmp, CI: '1', NO_UPDATE_NOTIFIER: '1',
    [markerName]: request.marker,
    ...request.env,
  };
}

/** The keeper is a node process too: options meant for the command travel under another name. */
function forKeeper({ NODE_OPTIONS: options, ...env }: Record<string, string>): Record<string, string> {
  return options === undefined ? env : { ...env, [commandNodeOptions]: options };
}

interface KeeperReport {
  exit_code: number | null;
  signal: string | null;
  timed_out: boolean;
  duration_ms: number;
  spawn_error?: string;
}

async function supervise(request: RunRequest, env: Record<string, string>, outputFile: string): Promise<RunResult> {
  request.signal?.throwIfAborted();
  const keeper = spawn(
    process.execPath,
    [keeperScript, String(request.timeout_seconds * 1_000), String(graceMs), ...request.argv],
    { cwd: request.cwd, env: forKeeper(env), detached: true, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  const output = createWriteStream(outputFile, { mode: 0o600 });
  // A full disk fails the run, not the worker.
  output.on('error', () => undefined);
  let written = 0;
  let truncated = false;
  // Put together at the end: a chunk may end in the middle of a character.
  const stdout: Buffer[] = [];
  let stdoutBytes = 0;
  const keep = (chunk: Buffer): void => {
    const room = maxOutputBytes - written;
    if (chunk.length > room) truncated = true;
    if (room > 0) output.write(chunk.subarray(0, room));
    written += chunk.length;
  };
  keeper.stdout.on('data', (chunk: Buffer) => {
    keep(chunk);
    if (stdoutBytes < maxOutputBytes) stdout.push(chunk);
    stdoutBytes += chunk.length;
  });
  keeper.stderr.on('data', keep);
  keeper.stdin.on('error', () => undefined);

  const onAbort = (): void => { keeper.stdin.write('stop\n'); };
  request.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const report = await keeperReport(keeper);
    await drained(keeper);
    // An escaped daemon may hold our pipes; it must not hold us.
    keeper.stdout.destroy();
    keeper.stderr.destroy();
    output.end();
    // Also rejects for a write that failed a moment ago.
    await finished(output);
    request.signal?.throwIfAborted();
    if (report.spawn_error !== undefined) {
      throw failure('TOOL_MISSING', `${request.argv[0]} cannot be started: ${report.spawn_error}`);
    }
    return { ...report, output_file: outputFile, stdout: Buffer.concat(stdout).toString('utf8'), truncated, sandbox: { level: 'plain' }, limit: null };
  } finally {
    request.signal?.removeEventListener('abort', onAbort);
    output.destroy();
  }
}

/** The keeper's line on descriptor 3, complete once the pipe ends, which it does when the keeper does. */
function keeperReport(keeper: ReturnType<typeof spawn>): Promise<KeeperReport> {
  return new Promise((resolve, reject) => {
    let text = '';
    const pipe = keeper.stdio[3]!;
    keeper.on('error', reject);
    pipe.on('data', (chunk: Buffer) => { text += chunk.toString('utf8'); });
    pipe.on('error', reject);
    pipe.on('end', () => {
      if (text === '') reject(failure('INTERNAL', 'the keeper of the command was killed'));
      else resolve(JSON.parse(text) as KeeperReport);
    });
  });
}

async function drained(keeper: ReturnType<typeof spawn>): Promise<void> {
  const ends = [keeper.stdout!, keeper.stderr!].map((stream) =>
    (stream.readableEnded ? Promise.resolve() : new Promise<void>((resolve) => { stream.once('end', resolve); })));
  await Promise.race([Promise.all(ends), new Promise((resolve) => { setTimeout(resolve, drainMs); })]);
}

/** Processes whose environment carries the marker (Linux: /proc; elsewhere the process group is all we can promise). */
async function marked(marker: string): Promise<number[]> {
  const wanted = `${markerName}=${marker}`;
  const entries = await readdir('/proc').catch(() => []);
  const found = await Promise.all(entries.filter((name) => /^\d+$/.test(name)).map(async (pid) => {
    const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    return environ.split('\0').includes(wanted) ? Number(pid) : null;
  }));
  return found.filter((pid) => pid !== null && pid !== process.pid) as number[];
}

async function sweep(marker: string): Promise<number> {
  let killed = 0;
  for (let round = 0; round < 50; round += 1) {
    const pids = await marked(marker);
    if (pids.length === 0) return killed;
    for (const pid of pids) {
      try { process.kill(pid, 'SIGKILL'); killed += 1; } catch { /* gone by itself */ }
    }
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  throw failure('INTERNAL', `processes of ${marker} survive SIGKILL`);
}
