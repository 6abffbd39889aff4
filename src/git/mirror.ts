/** One bare mirror per repository: everything we do with git happens here, never in the user's checkout. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Git } from './git.ts';
import { failure } from '../engine/failure.ts';

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
  /** Runs what must not run twice at once in one mirror: its ref locks, its list of worktrees. */
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
  /** What runs in a worktree can write the mirror's configuration, and filters in there are commands: ours is put back. */
  restoreConfig(repositoryId: string): Promise<void>;
}

export function createMirrors(git: Git, folder: string): Mirrors {
  const pathOf = (id: string): string => join(folder, `${id}.git`);
  const locks = new Map<string, Promise<unknown>>();

  /** Two fetches into one mirror would race for the same ref locks. */
  function exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    const mine = (locks.get(key) ?? Promise.resolve()).then(work, work);
    locks.set(key, mine.catch(() => undefined));
    return mine;
  }

  async function ensure(id: string): Promise<string> {
    const path = pathOf(id);
    const complete = await stat(join(path, 'HEAD')).then(() => true, () => false);
    if (!complete) {
      await Promise.all([path, `${path}.config`].map((stale) => rm(stale, { recursive: true, force: true })));
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await git.run(['init', '--quiet', '--bare', '--template=', '--', path]);
    }
    await restoreConfig(id);
    return path;
  }

  async function restoreConfig(id: string): Promise<void> {
    const path = join(pathOf(id), 'config');
    const kept = `${pathOf(id)}.config`;
    const [now, ours] = await Promise.all([path, kept].map((file) => readFile(file, 'utf8').catch(() => undefined)));
    if (now === ours) return;
    // By rename: another git may be reading it.
    const temporary = `${kept}.${randomUUID()}`;
    await writeFile(temporary, ours ?? now!, { mode: 0o600 });
    await rename(temporary, ours === undefined ? kept : path);
  }

  async function resolve(id: string, name: string): Promise<Tip> {
    const gitDir = pathOf(id);
    const commit = await git.text(['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`], { gitDir });
    const tree = await git.text(['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}^{tree}`], { gitDir });
    return { commit, tree };
  }

  return {
    pathOf, exclusively,
    resolve,
    restoreConfig,
    async fetchTip(repository, branch, signal) {
      return exclusively(repository.repository_id, async () => {
        const gitDir = await ensure(repository.repository_id);
        const ref = originRef(branch);
        const result = await git.run(
          ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--end-of-options',
            repository.origin, `+refs/heads/${branch}:${ref}`],
          { gitDir, okCodes: [1, 128], ...(signal ? { signal } : {}) });
        if (result.code !== 0) throw fetchFailure(repository.origin, branch, result.stderr);
        return resolve(repository.repository_id, ref);
      });
    },
    async fetchCommit(repository, commit) {
      return exclusively(repository.repository_id, async () => {
        const gitDir = await ensure(repository.repository_id);
        const known = async (): Promise<boolean> =>
          (await git.run(['cat-file', '-e', `${commit}^{commit}`], { gitDir, okCodes: [1, 128] })).code === 0;
        const fetch = (ref: string) => git.run(
          ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--end-of-options', repository.origin, ref],
          { gitDir, okCodes: [1, 128] });
        // By id where the origin allows it, else by its branches.
        if (!(await known())) await fetch(commit);
        if (!(await known())) await fetch('+refs/heads/*:refs/remotes/origin/*');
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
    const { stdout, code, stderr } = await git.run(['ls-remote', ...flags, '--end-of-options', origin, ref], { okCodes: [1, 128], ...(signal ? { signal } : {}) });
    if (code !== 0) throw fetchFailure(origin, ref, stderr);
    return stdout.toString('utf8');
  }
}

function fetchFailure(origin: string, branch: string, stderr: string): Error {
  if (/dubious ownership/.test(stderr)) {
    return failure('REPOSITORY_NOT_OWNED', `${origin} belongs to another user; run Mission Control as that user`);
  }
  if (/couldn't find remote ref/.test(stderr)) return failure('BRANCH_UNKNOWN', `${origin} has no branch ${branch}`);
  return failure('REPOSITORY_UNREACHABLE', `${origin} cannot be read: ${stderr.trim().slice(0, 500)}`);
}
