/**
 * The only way we run git: argv arrays, an environment of our own, every option that could run code of the repository
 * switched off. Repositories are hostile input; see docs/security.md for what each setting stops.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';

export interface GitResult { code: number; stdout: Buffer; stderr: string }

export interface GitOptions {
  gitDir?: string;
  workTree?: string;
  indexFile?: string;
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Exit codes that are answers, not failures. */
  okCodes?: readonly number[];
  signal?: AbortSignal;
}

export class GitError extends Error {
  readonly args: readonly string[];
  readonly code: number;
  readonly stderr: string;
  constructor(args: readonly string[], code: number, stderr: string) {
    super(`git ${args[0]} failed (${code}): ${stderr.trim().slice(0, 2_000)}`);
    this.name = 'GitError';
    this.args = args;
    this.code = code;
    this.stderr = stderr;
  }
}

const always = [
  '-c', 'core.hooksPath=/dev/null',
  '-c', 'core.fsmonitor=false',
  '-c', 'safe.bareRepository=explicit',
  '-c', 'protocol.ext.allow=never',
  '-c', 'core.symlinks=true',
  '-c', 'gc.auto=0',
  '-c', 'maintenance.auto=false',
  '-c', 'commit.gpgSign=false',
  '-c', 'submodule.recurse=false',
  '-c', 'fetch.recurseSubmodules=false',
  '-c', 'advice.detachedHead=false',
];

const maxOutputBytes = 64 * 1024 * 1024;

export interface Git {
  /** @throws GitError for an exit code that is not 0 and not in `okCodes` */
  run(args: readonly string[], options?: GitOptions): Promise<GitResult>;
  /** Trimmed standard output of `run`. */
  text(args: readonly string[], options?: GitOptions): Promise<string>;
}

/** @param home an empty folder of ours: git must not read the user's settings */
export function createGit(home: string): Git {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const environment = {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    LANG: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'file:http:https:ssh',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_LAZY_FETCH: '1',
    // A tree is what its id says, whatever a command in a worktree wrote into refs/replace.
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_AUTHOR_NAME: 'Mission Control', GIT_AUTHOR_EMAIL: 'mission-control@localhost',
    GIT_COMMITTER_NAME: 'Mission Control', GIT_COMMITTER_EMAIL: 'mission-control@localhost',
  };

  async function run(args: readonly string[], options: GitOptions = {}): Promise<GitResult> {
    const place = [
      ...(options.gitDir === undefined ? [] : [`--git-dir=${options.gitDir}`]),
      ...(options.workTree === undefined ? [] : [`--work-tree=${options.workTree}`]),
    ];
    const env = {
      ...environment, ...options.env,
      ...(options.indexFile === undefined ? {} : { GIT_INDEX_FILE: options.indexFile }),
    };
    const result = await spawnGit([...always, ...place, ...args], env, options);
    if (result.code !== 0 && !(options.okCodes ?? []).includes(result.code)) {
      throw new GitError(args, result.code, result.stderr);
    }
    return result;
  }

  return {
    run,
    text: async (args, options) => (await run(args, options)).stdout.toString('utf8').trim(),
  };
}

function spawnGit(argv: string[], env: Record<string, string>, options: GitOptions): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', argv, {
      env, cwd: options.workTree ?? '/', stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxOutputBytes) child.kill('SIGKILL');
      else out.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => { if (err.length < 64) err.push(chunk); });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const stderr = Buffer.concat(err).toString('utf8');
      resolve({ code: code ?? 128, stdout: Buffer.concat(out), stderr: signal === null ? stderr : `${stderr}killed by ${signal}` });
    });
    // git may end without reading all of it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}
