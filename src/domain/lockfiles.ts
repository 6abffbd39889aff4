/** Files that name the exact versions of what a project depends on. */
const lockfileNames = new Set([
  'package-lock.json', 'npm-shrinkwrap.json', 'yarn.lock', 'pnpm-lock.yaml', 'bun.lock', 'bun.lockb',
  'poetry.lock', 'Pipfile.lock', 'uv.lock', 'pdm.lock', 'go.sum', 'Cargo.lock', 'Gemfile.lock', 'composer.lock',
]);
/** Lists of Python packages: pinned or not, they are all there is. */
const requirements = /^(requirements|constraints)([-_.].*)?\.(txt|in)$/;
const installed = new Set(['node_modules', 'vendor', 'site-packages']);

/** The lockfiles among the paths of a tree, those of installed packages left out. */
export const lockfilesOf = (paths: readonly string[]): string[] => paths.filter((path) => {
  const parts = path.split('/');
  const name = parts.pop()!;
  return (lockfileNames.has(name) || requirements.test(name)) && !parts.some((part) => installed.has(part));
});
