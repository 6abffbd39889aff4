/**
 * Installs exactly what is locked into a fresh folder beside the one in use. Nothing that a program loads is touched; no
 * script of a package runs but those of packages that may be rebuilt.
 */
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { removeFolder } from '../../../git/remove-folder.ts';
import { defineAction, drift, refused, resourceOf, type ActionTools } from '../action.ts';
import { tailOf } from './check.ts';
import { folderSchema, identityOf, placeOf, placeSchema, workFolders, type Place } from './place.ts';
import { omitSchema, revisionSchema } from './state.ts';
import { approvedTruth } from './truth.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

export const truthSchema = {
  /** Commit whose manifest and lock file are installed by; null: the files as they lie there. */
  commit: revisionSchema.nullable(), manifest_sha256: digest, lock_sha256: digest,
};

/** What stands in `ready.json`: who made the fresh folder, and which folder it is, wherever it is moved. */
export const readySchema = z.strictObject({ key: z.string(), identity: z.string(), log_sha256: z.string() });

const input = z.strictObject({
  ...placeSchema, ...truthSchema, folder: folderSchema, omit: omitSchema,
  /** Packages whose install scripts run after all. */
  rebuild: z.array(z.string().min(1).max(214).regex(/^[@a-z0-9]/i, 'a package name')).max(50),
  timeout_seconds: z.number().positive().max(3_600),
});
type Input = z.output<typeof input>;

export const installPackages = defineAction({
  input,
  async guard(wanted, tools) {
    const place = placeOf(resourceOf(tools, 'packages'), wanted);
    const { rebuild_allowed } = resourceOf(tools, 'packages');
    const foreign = wanted.rebuild.find((name) => !rebuild_allowed.includes(name));
    if (foreign !== undefined) throw refused('REBUILD_NOT_ALLOWED', `${foreign} is not among the packages that may be rebuilt`);
    if (await approvedTruth(tools.deps.git, place, wanted) === null) throw drift(`${place.lock} or ${place.manifest} is another than planned with`);
    await identityOf(place.live);
    await identityOf(workFolders(place, wanted.folder).root);
  },
  async before() { return {}; },
  async done(wanted, _before, tools) {
    const ready = await readyOf(placeOf(resourceOf(tools, 'packages'), wanted), wanted.folder);
    return ready?.key === tools.key ? { log_sha256: ready.log_sha256 } : undefined;
  },
  async act(wanted, _before, tools) {
    const place = placeOf(resourceOf(tools, 'packages'), wanted);
    const { root, build, fresh, ready } = workFolders(place, wanted.folder);
    // Half of an earlier try, or all of an earlier run's.
    await rm(ready, { force: true });
    await removeFolder(build);
    await mkdir(build, { recursive: true });
    // Whoever looks at the project's changes does not see this folder.
    await writeFile(join(root, '.gitignore'), '*\n');
    const logs = place.manager === 'npm' ? await installNpm(wanted, place, build, tools) : await installPip(wanted, place, build, fresh, tools);
    const identity = await identityOf(fresh);
    if (identity === null) throw refused('INSTALL_FAILED', 'nothing was installed: the lock file names no packages');
    await writeFile(`${ready}.new`, JSON.stringify({ key: tools.key, identity, log_sha256: logs.at(-1)! }), { mode: 0o600 });
    await rename(`${ready}.new`, ready);
    return { log_sha256: logs.at(-1)! };
  },
});

export async function readyOf(place: Place, folder: string): Promise<z.output<typeof readySchema> | null> {
  try {
    return readySchema.parse(JSON.parse(await readFile(workFolders(place, folder).ready, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The files that are installed by, as they were approved. */
async function layOut(wanted: Input, place: Place, build: string, { deps }: ActionTools): Promise<void> {
  const truth = await approvedTruth(deps.git, place, wanted);
  if (truth === null) throw drift(`${place.lock} or ${place.manifest} is another than planned with`);
  await writeFile(join(build, place.manager === 'npm' ? 'package.json' : 'requirements.txt'), truth.manifest);
  if (place.manager === 'npm') await writeFile(join(build, 'package-lock.json'), truth.lock);
}

async function installNpm(wanted: Input, place: Place, build: string, tools: ActionTools): Promise<string[]> {
  await layOut(wanted, place, build, tools);
  const settings = join(build, '.npmrc');
  try {
    // Which registry it is, and how it wants to be asked. It may hold a token: it does not stay.
    await copyFile(join(place.project, '.npmrc'), settings).catch(unlessMissing);
    const omit = wanted.omit.map((one) => `--omit=${one}`);
    const { timeout_seconds } = wanted;
    // Left to itself npm waits a minute before it asks a third time for an archive with the wrong hash.
    const quiet = ['--no-audit', '--no-fund', '--no-progress', '--fetch-retry-mintimeout=500', '--fetch-retry-maxtimeout=5000'];
    const logs = [await run(tools, { argv: ['npm', 'ci', '--ignore-scripts', ...quiet, ...omit], cwd: build, timeout_seconds, network: true })];
    if (wanted.rebuild.length > 0) {
      const argv = ['npm', 'rebuild', '--ignore-scripts=false', '--foreground-scripts', ...quiet, '--', ...wanted.rebuild];
      logs.push(await run(tools, { argv, cwd: build, timeout_seconds, network: false }));
    }
    return logs;
  } finally {
    await rm(settings, { force: true });
  }
}

/** Wheels only: an archive of sources would run its own code to be installed, and fetch what no hash names. */
async function installPip(wanted: Input, place: Place, build: string, fresh: string, tools: ActionTools): Promise<string[]> {
  await layOut(wanted, place, build, tools);
  const argv = ['python3', '-m', 'pip', 'install', '--require-hashes', '--no-deps', '--only-binary', ':all:', '--no-compile', '--no-input',
    '--no-cache-dir', '--disable-pip-version-check', '--progress-bar', 'off', '--target', fresh, '-r', 'requirements.txt'];
  return [await run(tools, { argv, cwd: build, timeout_seconds: wanted.timeout_seconds, network: true })];
}

/** @returns digest of what it printed, which is kept as evidence */
async function run(
  { deps, key, signal }: ActionTools, request: { argv: string[]; cwd: string; timeout_seconds: number; network: boolean },
): Promise<string> {
  const { exit_code, timed_out, output_file } = await deps.processes.run({ ...request, marker: key, signal, env: { NO_COLOR: '1' } });
  const said = await tailOf(output_file);
  const { sha256 } = await deps.artifacts.putFile(output_file, 'text/plain');
  if (exit_code === 0 && !timed_out) return sha256;
  const what = request.argv.slice(0, request.argv[0] === 'npm' ? 2 : 4).join(' ');
  // Not its words: they may hold an address with a password.
  const code = /npm (?:error|ERR!) code (\w+)/.exec(said)?.[1] ?? (/DO NOT MATCH THE HASHES/.test(said) ? 'EINTEGRITY' : null);
  throw refused('INSTALL_FAILED', `${what} ${timed_out ? 'ran into its time limit' : `ended with exit code ${exit_code}`}${code === null ? '' : ` (${code})`}; its output is kept as ${sha256}`);
}

const unlessMissing = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'ENOENT') throw error;
};
