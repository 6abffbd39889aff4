/** One bare mirror per repository: everything we do with git happens here, never in the user's checkout. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { failure } from '../engine/failure.ts';
import type { Git, GitResult } from './git.ts';
import { holding } from './host-lock.ts';
import { saysLimit } from './limits.ts';
import { outsideOfRoots } from './origin-paths.ts';
import { requireSmallTree } from './tree-limits.ts';

export interface RepositoryRef {
  repository_id: string;
  origin: string;
  kind: 'path' | 'url';
}

export interface Tip { commit: string; tree: string }

/** Where origin branches are kept inside a mirror. */
export const originRef = (branch: string): string => `refs/remotes/origin/${branch}`;
export const candidateRef = (missionId: string, n: number): string => `refs/mission-control/${missionId}/candidate-${n}`;
export const landingRef = (missionId: string, kind: 'land' | 'revert'): string => `refs/mission-control/${missionId}/${kind}`;

export interface Mirrors {
  /** Runs what must not run twice at once in one mirror, in any process of this host: its ref locks, its list of worktrees. */
  exclusively<T>(repositoryId: string, work: () => Promise<T>): Promise<T>;
  pathOf(repositoryId: string): string;
  /** Fetches the branch's tip from the origin; makes the mirror when there is none. */
  fetchTip(repository: RepositoryRef, branch: string, signal?: AbortSignal): Promise<Tip>;
  /** Fetches one commit by its full id. @returns the id */
  fetchCommit(repository: RepositoryRef, commit: string): Promise<string>;
  /** The id that the origin says its branch is at, or null when it has no such branch. Nothing is fetched. */
  originTip(repository: RepositoryRef, branch: string, signal?: AbortSignal): Promise<string | null>;
  defaultBranch(origin: string): Promise<string>;
  hasBranch(origin: string, branch: string): Promise<boolean>;
  /** Resolves to ids first: a name that looks like an option never reaches another command. */
  resolve(repositoryId: string, name: string): Promise<Tip>;
  /** What runs in a worktree can write the mirror's configuration, and filters in there are commands: ours is put back, and what else steers git goes. */
  restoreConfig(repositoryId: string): Promise<void>;
}

/** @param repoRoots folders that a local origin must lie in, with everything it borrows */
export function createMirrors(git: Git, folder: string, repoRoots: readonly string[]): Mirrors {
  const pathOf = (id: string): string => join(folder, `${id}.git`);
  const locks = new Map<string, Promise<unknown>>();
  /** Trees that were found small enough; after a restart each is looked at once more. */
  const looked = new Set<string>();

  async function exclusively<T>(id: string, work: () => Promise<T>): Promise<T> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const locked = (): Promise<T> => holding(`${pathOf(id)}.lock`, work);
    const mine = (locks.get(id) ?? Promise.resolve()).then(locked, locked);
    locks.set(id, mine.catch(() => undefined));
    return mine;
  }

  /** A mirror is there whole or not at all: made under another name, and its configuration kept before it is in place. */
  async function ensure(id: string): Promise<string> {
    const path = pathOf(id);
    const [head, config] = await Promise.all([join(path, 'HEAD'), `${path}.config`].map((file) => stat(file).then(() => true, () => false)));
    if (head && config) {
      await restoreConfig(id);
      return path;
    }
    const unfinished = (await readdir(folder)).filter((name) => name.startsWith(`${basename(path)}.new-`)).map((name) => join(folder, name));
    await Promise.all([path, `${path}.config`, ...unfinished].map((stale) => rm(stale, { recursive: true, force: true })));
    const made = `${path}.new-${randomUUID()}`;
    await git.run(['init', '--quiet', '--bare', '--template=', '--', made]);
    await writeFile(`${made}.config`, await readFile(join(made, 'config')), { mode: 0o600 });
    await rename(`${made}.config`, `${path}.config`);
    await rename(made, path);
    return path;
  }

  async function restoreConfig(id: string): Promise<void> {
    const path = join(pathOf(id), 'config');
    const [now, ours] = await Promise.all([path, `${pathOf(id)}.config`].map((file) => readFile(file, 'utf8').catch(() => undefined)));
    await Promise.all(neverOurs.map((name) => rm(join(pathOf(id), name), { recursive: true, force: true })));
    if (now === ours || ours === undefined) return;
    // By rename: another git may be reading it.
    const temporary = `${pathOf(id)}.new-${randomUUID()}`;
    await writeFile(temporary, ours, { mode: 0o600 });
    await rename(temporary, path);
  }

  /** Over standard input, where nothing is an option. */
  async function resolve(id: string, name: string): Promise<Tip> {
    const said = name.includes('\n') ? '' : await git.text(['cat-file', '--batch-check'], { gitDir: pathOf(id), input: `${name}^{commit}\n${name}^{tree}\n` });
    const match = /^([0-9a-f]{40,64}) commit \d+\n([0-9a-f]{40,64}) tree \d+$/.exec(said);
    if (match === null) throw failure('BRANCH_UNKNOWN', `the mirror has no commit ${JSON.stringify(name)}`);
    return { commit: match[1]!, tree: match[2]! };
  }

  /** @returns what git said; a code other than 0 is the caller's to judge, except for what no other fetch would change */
  async function fetch({ origin }: RepositoryRef, gitDir: string, refspec: string, signal?: AbortSignal): Promise<GitResult> {
    await requireInside(origin);
    const result = await git.run(
      ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--end-of-options', origin, refspec],
      { gitDir, okCodes: [1, 128, 141], ...(signal ? { signal } : {}) });
    if (result.code === 0) return result;
    const { transfer_seconds: seconds, pack_bytes: bytes, memory_bytes: memory } = git.limits;
    // The kernel ends who writes more, and git itself has no word for that.
    const full = await removeHalfPacks(gitDir) >= bytes;
    if (full || result.stopped === 'time' || saysLimit(result.stderr)) {
      throw failure('REPO_LIMIT', `${origin} cannot be fetched within ${seconds} s, ${bytes} bytes and ${memory} bytes of memory: ${lastLine(result.stderr)}`);
    }
    return result;
  }

  async function requireInside(origin: string): Promise<void> {
    if (!origin.startsWith('/')) return;
    const outside = await outsideOfRoots(origin, repoRoots);
    if (outside !== undefined) throw failure('PATH_FORBIDDEN', `${origin} leads to ${outside}, which is not under an allowed root`);
  }

  return {
    pathOf, exclusively,
    resolve,
    restoreConfig,
    async fetchTip(repository, branch, signal) {
      return exclusively(repository.repository_id, async () => {
        const gitDir = await ensure(repository.repository_id);
        const ref = originRef(branch);
        const result = await fetch(repository, gitDir, `+refs/heads/${branch}:${ref}`, signal);
        if (result.code !== 0) throw fetchFailure(repository.origin, branch, result.stderr);
        const tip = await resolve(repository.repository_id, ref);
        if (!looked.has(tip.tree)) await requireSmallTree(git, gitDir, tip.tree, repository.origin);
        looked.add(tip.tree);
        return tip;
      });
    },
    async fetchCommit(repository, commit) {
      return exclusively(repository.repository_id, async () => {
        const gitDir = await ensure(repository.repository_id);
        const known = async (): Promise<boolean> =>
          (await git.run(['cat-file', '-e', `${commit}^{commit}`], { gitDir, okCodes: [1, 128] })).code === 0;
        // By id where the origin allows it, else by its branches.
        if (!(await known())) await fetch(repository, gitDir, commit);
        if (!(await known())) await fetch(repository, gitDir, '+refs/heads/*:refs/remotes/origin/*');
        if (!(await known())) throw failure('BRANCH_UNKNOWN', `${repository.origin} has no commit ${commit}`);
        return commit;
      });
    },
    async defaultBranch(origin) {
      const said = await lsRemote(['--symref'], origin, 'HEAD');
      const match = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(said);
      if (match === null) throw failure('BRANCH_UNKNOWN', 'the repository has no default branch; name target_branch');
      return match[1]!;
    },
    async originTip(repository, branch, signal) {
      const said = await lsRemote([], repository.origin, `refs/heads/${branch}`, signal);
      return said.split('\n').find((line) => line.endsWith(`\trefs/heads/${branch}`))?.split('\t')[0] ?? null;
    },
    async hasBranch(origin, branch) {
      return (await lsRemote([], origin, `refs/heads/${branch}`)).trim() !== '';
    },
  };

  async function lsRemote(flags: readonly string[], origin: string, ref: string, signal?: AbortSignal): Promise<string> {
    await requireInside(origin);
    const { stdout, code, stderr } = await git.run(['ls-remote', ...flags, '--end-of-options', origin, ref], { okCodes: [1, 128], ...(signal ? { signal } : {}) });
    if (code !== 0) throw fetchFailure(origin, ref, stderr);
    return stdout.toString('utf8');
  }
}

/**
 * Files that no mirror of ours has, and that change what git makes of the ones it has: how files are checked out, what is
 * ignored, which commits have which parents, where objects come from.
 */
const neverOurs = ['info/attributes', 'info/exclude', 'info/sparse-checkout', 'info/grafts', 'shallow', 'objects/info/alternates', 'objects/info/http-alternates'];

/**
 * What a fetch that ended early leaves; nobody else writes such files while we hold the mirror's lock.
 * @returns size of the largest, in bytes
 */
async function removeHalfPacks(gitDir: string): Promise<number> {
  const folder = join(gitDir, 'objects', 'pack');
  const half = (await readdir(folder)).filter((name) => /^tmp_(pack|idx|rev)_/.test(name)).map((name) => join(folder, name));
  const sizes = await Promise.all(half.map(async (file) => (await stat(file)).size));
  await Promise.all(half.map((file) => rm(file, { force: true })));
  return Math.max(0, ...sizes);
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)!.slice(0, 500);

function fetchFailure(origin: string, branch: string, stderr: string): Error {
  if (/dubious ownership/.test(stderr)) {
    return failure('REPOSITORY_NOT_OWNED', `${origin} belongs to another user; run Mission Control as that user`);
  }
  const fault = /^(?:error|fatal|warning): object ([0-9a-f]{40,64}): (\w+: .*)$|fsck error in packed object/m.exec(stderr);
  if (fault !== null) {
    return failure('REPOSITORY_UNSOUND', `${origin} holds what git's own check refuses${fault[1] ? `: ${fault[2]} (object ${fault[1]})` : ''}`);
  }
  if (/couldn't find remote ref/.test(stderr)) return failure('BRANCH_UNKNOWN', `${origin} has no branch ${branch}`);
  return failure('REPOSITORY_UNREACHABLE', `${origin} cannot be read: ${stderr.trim().slice(0, 500)}`);
}
