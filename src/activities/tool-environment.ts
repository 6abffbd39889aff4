/**
 * Where language tools keep what a setup installs. A command's HOME is removed after it, so it would be gone before the
 * tests; it lies in the worktree instead, belongs to that run alone, and goes with the next checkout.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder in a worktree for what is neither the repository's nor to be shown by its `git status`. */
const folderName = '.mission-control';

/** Whether a setup left nothing in there. */
export const nothingInstalled = async (worktree: string): Promise<boolean> =>
  (await readdir(join(worktree, folderName)).catch(() => [])).every((name) => name === '.gitignore');

/** Whether a path at the top of a worktree is ours. */
export const isToolFolder = (name: string): boolean => name === folderName;

/** Variables of package managers that lead to packages: mirrors, and the certificates to trust them by. */
const packageSources = ['PIP_CERT', 'PIP_FIND_LINKS', 'PIP_EXTRA_INDEX_URL', 'REQUESTS_CA_BUNDLE', 'SSL_CERT_DIR', 'CARGO_HTTP_CAINFO', 'GOSUMDB', 'GONOSUMDB', 'GOPRIVATE'];

/** Beside the worktree's own files; a repository that has something of this name keeps it as it is. */
export async function makeToolFolder(worktree: string): Promise<void> {
  const folder = join(worktree, folderName);
  const made = await mkdir(folder, { mode: 0o700 }).then(() => true, () => false);
  if (made) await writeFile(join(folder, '.gitignore'), '*\n');
}

/** Caches that all repositories of a host would share, and could spoil for each other: only if the worker is told to. */
const sharedCaches = ['GOCACHE'];

/** For every command in the worktree. What the worker's own environment says wins. */
export function toolEnvironment(worktree: string, network: boolean): Record<string, string> {
  const folder = join(worktree, folderName);
  const toolchains = join(homedir(), '.rustup');
  const wanted: Record<string, string> = {
    GOMODCACHE: join(folder, 'go-modules'),
    // Or the modules are read-only, and cannot be removed with the worktree.
    GOFLAGS: '-modcacherw',
    CARGO_HOME: join(folder, 'cargo'),
    YARN_GLOBAL_FOLDER: join(folder, 'yarn'),
    ...(existsSync(toolchains) ? { RUSTUP_HOME: toolchains } : {}),
  };
  const given = Object.keys(wanted).filter((name) => process.env[name] !== undefined);
  return {
    ...wanted,
    ...Object.fromEntries([...given, ...sharedCaches, ...(network ? packageSources : [])].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    })),
  };
}

/** The command inside the worktree's virtualenv, if there is one: tests call the programs that were installed with them. */
export function inVirtualenv(worktree: string, argv: readonly string[]): string[] {
  const virtualenv = join(worktree, '.venv');
  if (!existsSync(join(virtualenv, 'pyvenv.cfg'))) return [...argv];
  // By `env`, not in our own environment: a repository must not choose which programs our keeper finds.
  return ['/usr/bin/env', `VIRTUAL_ENV=${virtualenv}`, `PATH=${join(virtualenv, 'bin')}:${process.env['PATH'] ?? ''}`, ...argv];
}
