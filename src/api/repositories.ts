/** Repositories as missions name them: registered by name or id, or by a path under an allowed root. */
import { realpath, stat } from 'node:fs/promises';
import { basename, sep } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { actorOf, type Principal } from '../domain/actor.ts';
import type { CreateRepository } from '../domain/schema/repository.ts';
import { isUniqueViolation } from '../store/database.ts';
import { findByOrigin, findRepository, registerRepository, type Repository } from '../store/repositories.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

export async function createRepository(deps: ApiDeps, input: CreateRepository, principal: Principal): Promise<Repository> {
  const where = input.path === undefined
    ? { origin: checkedUrl(input.url!), kind: 'url' as const }
    : { origin: await pathUnderRoot(deps, input.path, 'path'), kind: 'path' as const };
  const known = await findByOrigin(deps.database.query, where.origin);
  if (known !== undefined) {
    throw new Problem(409, 'REPOSITORY_EXISTS', `${known.name} (${known.repository_id}) is registered with this origin`);
  }
  const { commands, stress_thresholds, protected_paths, limits } = input;
  return register(deps, {
    name: input.name, ...where, default_branch: input.default_branch ?? await defaultBranch(deps, where.origin, input.path === undefined ? 'url' : 'path'),
    settings: { commands, stress_thresholds, protected_paths, limits },
  }, principal);
}

/** The repository a mission's workspace means; an unregistered path under a root is registered. */
export async function repositoryOf(
  deps: ApiDeps, workspace: { repository?: string | undefined; repo_path?: string | undefined }, principal: Principal,
): Promise<Repository> {
  if (workspace.repository !== undefined) {
    const repository = await findRepository(deps.database, workspace.repository);
    if (repository === undefined) {
      throw new Problem(422, 'REPOSITORY_UNKNOWN', `no repository is named ${workspace.repository}`,
        [{ path: 'workspace.repository', message: 'not registered' }]);
    }
    return repository;
  }
  const origin = await pathUnderRoot(deps, workspace.repo_path!, 'workspace.repo_path');
  const known = await findByOrigin(deps.database.query, origin);
  if (known !== undefined) return known;
  const settings = { commands: {}, stress_thresholds: [], protected_paths: [] };
  const input = { origin, kind: 'path' as const, default_branch: await defaultBranch(deps, origin, 'workspace.repo_path'), settings };
  for (;;) {
    const name = await freeName(deps, basename(origin).replace(/\.git$/, '').replaceAll(/[^\w.-]/g, '-'));
    try {
      return await registerRepository(deps.database, { ...input, name }, actorOf(principal));
    } catch (error) {
      // Another mission took the name, or registered this very repository, in this moment.
      if (!isUniqueViolation(error)) throw error;
      const other = await findByOrigin(deps.database.query, origin);
      if (other !== undefined) return other;
    }
  }
}

async function register(deps: ApiDeps, input: Parameters<typeof registerRepository>[1], principal: Principal): Promise<Repository> {
  try {
    return await registerRepository(deps.database, input, actorOf(principal));
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Problem(409, 'REPOSITORY_EXISTS', `another repository is named ${input.name}`, [{ path: 'name', message: 'taken' }]);
  }
}

async function freeName(deps: ApiDeps, wanted: string): Promise<string> {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? wanted : `${wanted}-${n}`;
    if ((await findRepository(deps.database, name)) === undefined) return name;
  }
}

/** @throws Problem PATH_FORBIDDEN unless the path, links resolved, lies under an allowed root */
async function pathUnderRoot({ config }: ApiDeps, path: string, field: string): Promise<string> {
  const forbidden = (why: string): Problem => new Problem(422, 'PATH_FORBIDDEN',
    `${why}; allowed are paths under MISSION_CONTROL_REPO_ROOTS and the data directory's repositories/`, [{ path: field, message: why }]);
  if (!path.startsWith('/')) throw forbidden('not an absolute path');
  const real = await realpath(path).catch(() => { throw forbidden('there is nothing at this path'); });
  const roots = await Promise.all(config.repoRoots.map((root) => realpath(root).catch(() => undefined)));
  if (!roots.some((root) => root !== undefined && (real === root || real.startsWith(root + sep)))) {
    throw forbidden('not under an allowed root');
  }
  if (!(await stat(real)).isDirectory()) throw forbidden('not a folder');
  return real;
}

/** https and ssh only, nothing that git could take for an option or another transport, no password inside. */
function checkedUrl(text: string): string {
  const refused = (code: 'GIT_URL_FORBIDDEN' | 'GIT_URL_INVALID', why: string): Problem =>
    new Problem(400, code, `the URL is refused: ${why}`, [{ path: 'url', message: why }]);
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(text)?.[0].toLowerCase();
  if (scheme !== undefined && !['https:', 'ssh:'].includes(scheme)) throw refused('GIT_URL_FORBIDDEN', `${scheme} is not https: or ssh:`);
  let url: URL;
  let host: string;
  let user: string;
  try {
    // Git decodes what the parser leaves encoded; the parser leaves out line ends and tabs, which git would read.
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    if (/[\x00-\x20\x7f\\]/.test(decodeURIComponent(text))) throw new TypeError();
    url = new URL(text);
    [host, user] = [url.hostname, url.username].map((part) => decodeURIComponent(part)) as [string, string];
  } catch {
    throw refused('GIT_URL_INVALID', 'not a URL, for example https://host/path.git or ssh://git@host/path.git');
  }
  if (host === '') throw refused('GIT_URL_INVALID', 'it names no host');
  if (url.password !== '') throw refused('GIT_URL_FORBIDDEN', 'it holds a password');
  if (host.startsWith('-') || user.startsWith('-')) throw refused('GIT_URL_FORBIDDEN', 'the host or user looks like an option');
  return url.href;
}

async function defaultBranch({ mirrors }: ApiDeps, origin: string, field: string): Promise<string> {
  try {
    return await mirrors.defaultBranch(origin);
  } catch (error) {
    throw gitProblem(error, field);
  }
}

/** @throws Problem when the origin cannot be read or has no such branch */
export async function requireBranch({ mirrors }: ApiDeps, repository: Repository, branch: string): Promise<void> {
  try {
    if (await mirrors.hasBranch(repository.origin, branch)) return;
  } catch (error) {
    throw gitProblem(error, 'workspace');
  }
  throw new Problem(422, 'BRANCH_UNKNOWN', `${repository.name} has no branch ${branch}`, [{ path: 'workspace.target_branch', message: 'not there' }]);
}

function gitProblem(error: unknown, field: string): unknown {
  if (!(error instanceof ApplicationFailure)) return error;
  const status = error.type === 'REPOSITORY_NOT_OWNED' ? 403 : 422;
  return new Problem(status, error.type ?? 'REPOSITORY_UNREACHABLE', error.message, [{ path: field, message: error.message }]);
}
