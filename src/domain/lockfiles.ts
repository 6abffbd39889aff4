/** Which files of a repository decide what its setup installs. */

const names = new Set([
  'package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb',
  '.npmrc', '.yarnrc.yml', '.pnpmfile.cjs',
  'pyproject.toml', 'setup.cfg', 'setup.py', 'tox.ini', 'uv.lock', 'poetry.lock', 'pdm.lock', 'Pipfile', 'Pipfile.lock', '.python-version',
  'go.mod', 'go.sum', 'go.work', 'go.work.sum',
  'Cargo.toml', 'Cargo.lock', 'rust-toolchain', 'rust-toolchain.toml',
  'Gemfile', 'Gemfile.lock', 'composer.json', 'composer.lock',
]);
/** pip takes any name; these are the ones that people give. */
const requirements = /^(?:requirements|constraints)[\w.-]*\.(?:txt|in)$/;
/** These name exact versions, the requirements of pip as far as anything of Python's does. */
const pinning = new Set([
  'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb', 'uv.lock', 'poetry.lock', 'pdm.lock', 'Pipfile.lock',
  'go.sum', 'Cargo.lock', 'Gemfile.lock', 'composer.lock',
]);
const installed = new Set(['node_modules', 'vendor', '.venv', 'venv', 'target']);

/**
 * Lockfiles, and the manifests beside them: a manifest that changed without its lockfile changes the setup's result too.
 * @param paths of a tree, from its root, with `/` between folders
 * @returns those among them, in the order of their bytes; files inside of installed dependencies are not among them
 */
export function lockfilesOf(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    const folders = path.split('/');
    const name = folders.pop()!;
    if (folders.some((folder) => installed.has(folder))) return false;
    return names.has(name) || requirements.test(name) || (folders.at(-1) === 'requirements' && name.endsWith('.txt'));
  }).sort();
}

/** Whether one of these files pins versions: without one, the same setup may install something else tomorrow. */
export const pinsVersions = (lockfiles: readonly string[]): boolean =>
  lockfiles.some((path) => pinning.has(path.split('/').at(-1)!) || requirements.test(path.split('/').at(-1)!));
