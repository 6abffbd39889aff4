/** What npm's files and folders say about one package, and about all of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { foldersFor, holderOf, nameOfFolder, readNpmLock, readNpmManifest, type NpmManifest } from '../../../domain/npm-lock.ts';
import type { PackageFacts, PackageState } from '../../../domain/import-cure.ts';
import { refused, type ActionTools } from '../action.ts';
import { runQuietly } from './check.ts';
import { fileOf, type Truth } from './truth.ts';
import type { Place } from './place.ts';

const maxProblems = 500;

export interface Wanted {
  /** As the failing import names it. */
  name: string | null;
  /** Package folder that imports it, or that is broken itself. */
  location: string | null;
}

export type Findings = Pick<PackageState, 'manifest_drifted' | 'unusable' | 'package' | 'top_level' | 'scripted' | 'rebuildable' | 'problems' | 'hosts'>;

export async function npmFindings(
  tools: ActionTools, place: Place, truth: Truth | null, wanted: Wanted, { omit, rebuild_allowed }: { omit: readonly string[]; rebuild_allowed: readonly string[] },
): Promise<Findings> {
  const { project } = place;
  const working = await fileOf(project, place.manifest);
  const manifest = parsed(() => readNpmManifest((truth?.manifest ?? working ?? '{}').toString()), place.manifest);
  const lock = parsed(() => readNpmLock((truth?.lock ?? '{}').toString()), place.lock);
  const installed = (folder: string): Promise<string | null> => versionIn(join(project, folder));
  const folders = wanted.name === null ? [] : foldersOf(wanted as Wanted & { name: string });
  const folder = folders.find((one) => lock.packages.has(one)) ?? folders.at(-1) ?? null;
  const found: PackageFacts | null = wanted.name === null || folder === null ? null : {
    name: wanted.name, declared: manifest.dependencies.has(wanted.name), locked: lock.packages.get(folder)?.version ?? null,
    installed: await installed(folder), complete: null, folder,
  };
  const names = new Set([...lock.packages.keys()].map(nameOfFolder));
  return {
    manifest_drifted: working === null || !sameDependencies(manifest, parsed(() => readNpmManifest(working.toString()), place.manifest)),
    unusable: truth === null ? null : lock.unusable,
    package: found,
    top_level: await Promise.all([...manifest.dependencies.keys()].map(async (name) => ({
      name, locked: lock.packages.get(`node_modules/${name}`)?.version ?? null, installed: await installed(`node_modules/${name}`),
    }))),
    scripted: [...lock.packages].filter(([, one]) => one.has_install_script).map(([folder]) => ({ name: nameOfFolder(folder), location: holderOf(folder) })),
    rebuildable: rebuild_allowed.filter((name) => names.has(name)),
    problems: await problemsOf(tools, place, omit),
    hosts: lock.hosts,
  };
}

/** A broken package is looked for where it lies, a missing one wherever Node would have looked. */
const foldersOf = ({ name, location }: Wanted & { name: string }): string[] =>
  (location !== null && nameOfFolder(location) === name ? [location] : foldersFor(name, location));

const sameDependencies = (a: NpmManifest, b: NpmManifest): boolean =>
  a.dependencies.size === b.dependencies.size && [...a.dependencies].every(([name, range]) => b.dependencies.get(name) === range);

function parsed<T>(read: () => T, file: string): T {
  try {
    return read();
  } catch (error) {
    throw refused('LOCK_FORMAT', `${file} is no JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** Null when there is no package that says its version. */
async function versionIn(folder: string): Promise<string | null> {
  try {
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version : null;
  } catch {
    return null;
  }
}

/** `npm ls` ends with 0 for a tree that lacks a package of a package, so its list is read, and its exit code is not. */
async function problemsOf(tools: ActionTools, place: Place, omit: readonly string[]): Promise<string[]> {
  const argv = ['npm', 'ls', '--all', '--json', '--offline', ...omit.map((one) => `--omit=${one}`)];
  const { stdout, truncated, timed_out } = await runQuietly(tools, place, { argv, timeout_seconds: 120 });
  if (timed_out || truncated) throw refused('NPM_LS_UNREADABLE', `npm ls ${timed_out ? 'ran into its time limit' : 'printed too much'}`);
  let tree: unknown;
  try {
    tree = JSON.parse(stdout);
  } catch {
    throw refused('NPM_LS_UNREADABLE', 'npm ls printed no JSON');
  }
  const { problems } = tree as { problems?: unknown };
  return Array.isArray(problems) ? problems.map((one) => String(one).slice(0, 500)).sort().slice(0, maxProblems) : [];
}
