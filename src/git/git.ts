/**
 * The only way we run git: argv arrays, an environment of our own, every option that could run code of the repository
 * switched off. Repositories are hostile input; see docs/security.md for what each setting stops.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { closed, ForkServerGone, startProcess, type Started } from '../fork-server/start.ts';
import { groupOf, identityOf, startedWith } from '../processes.mjs';
import { limitingPrefix, type GitLimits } from './limits.ts';
import { withoutObstacles } from './obstacles.ts';
import { transportSettings, type GitSettings } from './transport.ts';

export interface GitResult {
  code: number;
  stdout: Buffer;
  stderr: string;
  /** Set when we ended it: it ran for too long, or said more than is kept. */
  stopped?: 'time' | 'output';
}

export interface GitOptions {
  gitDir?: string;
  workTree?: string;
  indexFile?: string;
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Exit codes that are answers, not failures. */
  okCodes?: readonly number[];
  signal?: AbortSignal;
  /** Called with each piece of standard output instead of keeping it; `false` ends git, which is then no failure. */
  onOutput?: (chunk: Buffer) => boolean;
}

export class GitError extends Error {
  readonly args: readonly string[];
  readonly code: number;
  readonly stderr: string;
  readonly stopped: GitResult['stopped'];
  constructor(args: readonly string[], { code, stderr, stopped }: GitResult) {
    super(`git ${args[0]} failed (${code}): ${stderr.trim().slice(0, 2_000)}`);
    this.name = 'GitError';
    this.args = args;
    this.code = code;
    this.stderr = stderr;
    this.stopped = stopped;
  }
}

const always = [
  '-c', 'core.hooksPath=/dev/null',
  '-c', 'core.fsmonitor=false',
  '-c', 'safe.bareRepository=explicit',
  '-c', 'protocol.ext.allow=never',
  '-c', 'core.symlinks=true',
  '-c', 'core.bigFileThreshold=50m',
  // It says which tree a commit has, and git believes it; a command in a worktree could write one.
  '-c', 'core.commitGraph=false',
  '-c', 'gc.auto=0',
  '-c', 'maintenance.auto=false',
  '-c', 'commit.gpgSign=false',
  '-c', 'submodule.recurse=false',
  '-c', 'fetch.recurseSubmodules=false',
  '-c', 'advice.detachedHead=false',
];

/** Names the process that a git works for, so that the next one finds what a killed one left running. */
export const ownerVariable = 'MISSION_CONTROL_GIT_OWNER';

/** Names one git, for the case that nobody is told which process it became. */
const idVariable = 'MISSION_CONTROL_GIT_ID';

const maxOutputBytes = 64 * 1024 * 1024;

export interface Git {
  /** @throws GitError for an exit code that is not 0 and not in `okCodes` */
  run(args: readonly string[], options?: GitOptions): Promise<GitResult>;
  /** Trimmed standard output of `run`. */
  text(args: readonly string[], options?: GitOptions): Promise<string>;
  readonly limits: GitLimits;
}

/**
 * @param home an empty folder of ours: git must not read the user's settings. Its path marks our processes.
 * @param settings credentials for origins and limits
 */
export function createGit(home: string, settings: GitSettings): Git {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const transport = transportSettings(settings);
  const prefix = limitingPrefix(settings.limits);
  const { pid, started } = identityOf(process.pid);
  const environment = {
    [ownerVariable]: `${pid}@${started}`,
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    LANG: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    // No plain http: a password would travel in the clear, and whoever sits between chooses what we fetch.
    GIT_ALLOW_PROTOCOL: 'file:https:ssh',
    GIT_OPTIONAL_LOCKS: '0',
    // Known to git 2.39.4 and later; what protects before it is that a mirror is never a partial clone.
    GIT_NO_LAZY_FETCH: '1',
    // A tree is what its id says, whatever a command in a worktree wrote into refs/replace.
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_AUTHOR_NAME: 'Mission Control', GIT_AUTHOR_EMAIL: 'mission-control@localhost',
    GIT_COMMITTER_NAME: 'Mission Control', GIT_COMMITTER_EMAIL: 'mission-control@localhost',
  };

  async function once(args: readonly string[], options: GitOptions): Promise<GitResult> {
    const place = [
      ...(options.gitDir === undefined ? [] : [`--git-dir=${options.gitDir}`]),
      ...(options.workTree === undefined ? [] : [`--work-tree=${options.workTree}`]),
    ];
    const env = {
      ...environment, ...transport.environment, ...options.env,
      ...(options.indexFile === undefined ? {} : { GIT_INDEX_FILE: options.indexFile }),
    };
    const command = args[0] ?? '';
    const argv = ['git', ...always, ...(command in remoteSeconds ? transport.config : []), ...place, ...args];
    return spawnGit(
      takesForeignObjects.has(command) ? [...prefix, ...argv] : argv, env, options, remoteSeconds[command]?.(settings.limits));
  }

  async function run(args: readonly string[], options: GitOptions = {}): Promise<GitResult> {
    const result = await withoutObstacles(() => once(args, options), options.gitDir, home);
    if (result.code !== 0 && !(options.okCodes ?? []).includes(result.code)) throw new GitError(args, result);
    return result;
  }

  return {
    run,
    text: async (args, options) => (await run(args, options)).stdout.toString('utf8').trim(),
    limits: settings.limits,
  };
}

/** What talks to an origin, and how long each may take, in seconds. Nothing that waits for another machine waits forever. */
const remoteSeconds: Record<string, (limits: GitLimits) => number> = {
  'ls-remote': (limits) => limits.ask_seconds,
  fetch: (limits) => limits.transfer_seconds,
  push: (limits) => limits.transfer_seconds,
};

/** What unpacks objects that a stranger packed. */
const takesForeignObjects = new Set(['fetch', 'bundle']);

const graceMs = 2_000;

/** A push has receive-pack at work in somebody else's repository, which is never ended half-way: only our side is. */
const aloneIn = (argv: readonly string[]): boolean => argv.includes('push');

const answers = { time: 'stopped after its time limit', output: `stopped: it said more than ${maxOutputBytes} bytes` };

async function spawnGit(argv: string[], env: Record<string, string>, options: GitOptions, seconds: number | undefined): Promise<GitResult> {
  options.signal?.throwIfAborted();
  const { pid, descriptors, ended } = await startGit(argv, options.workTree ?? '/', env, options.signal);
  const [stdin, stdout, stderr] = descriptors;
  let stopped: 'time' | 'output' | 'enough' | 'cancelled' | undefined;
  let last: NodeJS.Timeout | undefined;
  const send = (name: NodeJS.Signals): void => {
    // Gone by itself in this moment.
    try { process.kill(aloneIn(argv) ? pid : -pid, name); } catch { return; }
  };
  // Asked first: a git that is asked takes its locks and its half-written files away.
  const stop = (why: typeof stopped): void => {
    if (stopped !== undefined) return;
    stopped = why;
    send('SIGTERM');
    last = setTimeout(() => send('SIGKILL'), graceMs);
  };
  const cancel = (): void => stop('cancelled');
  options.signal?.addEventListener('abort', cancel, { once: true });
  if (options.signal?.aborted) cancel();
  const timer = seconds === undefined ? undefined : setTimeout(() => stop('time'), seconds * 1_000);

  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let size = 0;
  stdout.on('data', (chunk: Buffer) => {
    if (options.onOutput !== undefined) {
      if (stopped === undefined && !options.onOutput(chunk)) stop('enough');
      return;
    }
    size += chunk.length;
    if (size > maxOutputBytes) stop('output');
    else out.push(chunk);
  });
  stderr.on('data', (chunk: Buffer) => { if (err.length < 64) err.push(chunk); });
  // What it never says there is its end all the same.
  stdin.resume();
  stdin.end(options.input ?? '');
  try {
    const [{ code, signal }] = await Promise.all([ended, closed(stdout), closed(stderr)]);
    if (stopped === 'cancelled') throw options.signal!.reason as Error;
    const said = Buffer.concat(err).toString('utf8');
    const result = { stdout: Buffer.concat(out), code: stopped === 'enough' ? 0 : code ?? 128 };
    if (stopped === 'time' || stopped === 'output') return { ...result, stopped, stderr: `${said}${answers[stopped]}` };
    return { ...result, stderr: signal === null ? said : `${said}killed by ${signal}` };
  } catch (error) {
    // Nobody is told any more how it ends: it must not go on beside the next try.
    if (error instanceof ForkServerGone) send('SIGKILL');
    throw stopped === 'cancelled' ? options.signal!.reason as Error : error;
  } finally {
    clearTimeout(timer);
    clearTimeout(last);
    options.signal?.removeEventListener('abort', cancel);
    for (const socket of descriptors) socket.destroy();
  }
}

/** In a group of its own: ending it ends its helpers too (ssh, remote-https, upload-pack, index-pack). */
async function startGit(argv: string[], cwd: string, env: Record<string, string>, signal: AbortSignal | undefined): Promise<Started<3>> {
  const id = randomUUID();
  try {
    return await startProcess(argv, { cwd, env: { ...env, [idVariable]: id }, descriptors: 3 });
  } catch (error) {
    if (error instanceof ForkServerGone) await endUnheardOf(id, aloneIn(argv));
    signal?.throwIfAborted();
    throw error;
  }
}

const unheardOfRounds = 10;
const unheardOfMs = 50;

/** Ends a git that may have started though nobody could say so. One in the middle of its start is not yet known by its id. */
async function endUnheardOf(id: string, alone: boolean): Promise<void> {
  for (let round = 0; round < unheardOfRounds; round += 1) {
    // The leader speaks for its group; what a push started in the origin inherits the id, and is not ours to end.
    for (const pid of (await startedWith(`${idVariable}=${id}`)).filter((found) => groupOf(found) === found)) {
      try { process.kill(alone ? pid : -pid, 'SIGKILL'); } catch { /* gone by itself */ }
    }
    await sleep(unheardOfMs);
  }
}
