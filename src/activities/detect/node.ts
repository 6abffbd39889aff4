/** A package.json with a test script: npm runs it, whichever package manager installs what it needs. */
import type { CommandSpec } from '../../domain/commands.ts';
import { type Commands, type RepositoryFiles, setupSeconds, steps, testSeconds } from './files.ts';

export async function detectNode(files: RepositoryFiles): Promise<Commands | undefined> {
  const manifest = object(await files.text('package.json'));
  const scripts = manifest?.['scripts'];
  const script = isObject(scripts) ? scripts['test'] : undefined;
  // What `npm init` writes where there are no tests.
  if (typeof script !== 'string' || script.includes('no test specified')) return undefined;
  const setup = await detectSetup(files, manifest!, scripts as Record<string, unknown>);
  // Yarn without node_modules answers to itself only.
  const argv = files.has('.pnp.cjs') ? ['yarn', 'run', 'test'] : ['npm', 'test', '--silent'];
  return {
    ...(setup === undefined ? {} : { setup }),
    test: { argv, timeout_seconds: testSeconds, network: false, report: { format: 'auto' } },
  };
}

/**
 * With the network, and with the install scripts of others off; then those scripts, without the network. A script that
 * needs the network, or writes hooks, fails there and is no reason to stop: where it matters, name a setup command.
 */
async function detectSetup(files: RepositoryFiles, manifest: Record<string, unknown>, scripts: Record<string, unknown>): Promise<CommandSpec | undefined> {
  const installer = await installerOf(files, manifest);
  if (installer === undefined) return undefined;
  const own = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => typeof scripts[name] === 'string');
  return steps([
    { argv: installer.install, timeout_seconds: setupSeconds, network: true },
    ...(installer.hasScripts ? [{ argv: installer.rebuild, timeout_seconds: setupSeconds, network: false, may_fail: true }] : []),
    ...own.map((name) => ({ argv: ['env', 'HUSKY=0', 'npm', 'run', name], timeout_seconds: setupSeconds, network: false, may_fail: true })),
  ]);
}

interface Installer { install: string[]; rebuild: string[]; hasScripts: boolean }

async function installerOf(files: RepositoryFiles, manifest: Record<string, unknown>): Promise<Installer | undefined> {
  const npm = { rebuild: ['npm', 'rebuild'] };
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund'];
  for (const name of ['npm-shrinkwrap.json', 'package-lock.json']) {
    if (!files.has(name)) continue;
    const packages = object(await files.text(name))?.['packages'];
    const installed = isObject(packages) ? Object.entries(packages).filter(([path]) => path !== '').map(([, entry]) => entry) : [];
    if (installed.length === 0) return undefined;
    return { ...npm, install: ['npm', 'ci', ...quiet], hasScripts: installed.some((entry) => isObject(entry) && entry['hasInstallScript'] === true) };
  }
  if (files.has('pnpm-lock.yaml')) return { install: ['pnpm', 'install', '--frozen-lockfile', '--ignore-scripts'], rebuild: ['pnpm', 'rebuild'], hasScripts: true };
  if (files.has('yarn.lock')) {
    return files.has('.yarnrc.yml')
      ? { install: ['yarn', 'install', '--immutable', '--mode=skip-build'], rebuild: ['yarn', 'rebuild'], hasScripts: true }
      : { ...npm, install: ['yarn', 'install', '--frozen-lockfile', '--ignore-scripts', '--non-interactive'], hasScripts: true };
  }
  const needs = ['dependencies', 'devDependencies', 'optionalDependencies', 'workspaces'].some((name) => {
    const value = manifest[name];
    return isObject(value) ? Object.keys(value).length > 0 : Array.isArray(value) && value.length > 0;
  });
  return needs ? { ...npm, install: ['npm', 'install', '--no-package-lock', ...quiet], hasScripts: true } : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function object(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse((text ?? '').replace(/^\uFEFF/, ''));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
