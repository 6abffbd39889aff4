/**
 * What the result of a setup command depends on. A lockfile alone answers that for few of them: scripts of packages read
 * the project's sources, setups build it. What is not known to depend on less depends on the whole tree.
 */
import { lockfilesOf, pinsVersions } from './lockfiles.ts';
import { readNpmLock } from './npm-lock.ts';

export type DependencyScope =
  | { kind: 'lockfiles'; files: string[] }
  | { kind: 'tree' }
  | { kind: 'off'; reason: string };

/** The tree's paths, and the texts of those that are asked for. */
export interface TreeFiles { paths: readonly string[]; text: (path: string) => string | undefined }

/** What the text of is needed for. */
export const readForScope = ['package.json', 'package-lock.json'] as const;

/** Options of `npm ci` that change nothing of what it installs from where. */
const harmless = /^--(no-audit|no-fund|ignore-scripts|silent|prefer-offline|no-progress|loglevel=\w+)$/;
const npmReads = ['package-lock.json', 'package.json', '.npmrc'];
const lifecycle = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare'];

export function dependencyScope(argv: readonly string[], tree: TreeFiles): DependencyScope {
  if (!pinsVersions(lockfilesOf(tree.paths))) return { kind: 'off', reason: 'no lockfile' };
  const [tool, verb, ...options] = argv;
  const isCi = tool === 'npm' && verb === 'ci' && options.every((option) => harmless.test(option));
  return isCi && byLockAlone(tree, options.includes('--ignore-scripts'))
    ? { kind: 'lockfiles', files: npmReads.filter((path) => tree.paths.includes(path)) } : { kind: 'tree' };
}

/** Every package comes from outside with a hash, and nothing that runs could look at the project. */
function byLockAlone({ paths, text }: TreeFiles, scriptsOff: boolean): boolean {
  if (['npm-shrinkwrap.json', 'binding.gyp'].some((path) => paths.includes(path))) return false;
  if (paths.some((path) => path.startsWith('node_modules/'))) return false;
  try {
    const lock = readNpmLock(text('package-lock.json') ?? '');
    if (lock.unusable !== null) return false;
    const scripts = (JSON.parse(text('package.json') ?? '') as { scripts?: Record<string, unknown> }).scripts ?? {};
    return scriptsOff || (![...lock.packages.values()].some((found) => found.has_install_script) && !lifecycle.some((name) => Object.hasOwn(scripts, name)));
  } catch {
    return false;
  }
}
