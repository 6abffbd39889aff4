/** This host: what has to be there before anything starts. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { bestOf, missingIn } from '../../../activities/process/ladder.ts';
import { createProcessRunner } from '../../../activities/process/runner.ts';
import { isShutIn } from '../../../domain/sandbox.ts';
import { fail, ok, warn } from './check.ts';
import type { Subject } from './examine.ts';

const run = promisify(execFile);

export function nodeVersion() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 20 || (major === 20 && minor >= 19) ? ok(process.versions.node)
    : fail(`${process.versions.node}; 20.19 or later is needed`, 'install a newer Node: https://nodejs.org');
}

/** 2.38 has `merge-tree --write-tree` and `safe.bareRepository`; landing is built on both. */
export async function gitVersion() {
  const todo = 'install git 2.38 or later';
  const answer = await run('git', ['--version']).catch(() => undefined);
  if (answer === undefined) return fail('not on PATH', todo);
  const [major = 0, minor = 0] = /(\d+)\.(\d+)/.exec(answer.stdout)?.slice(1).map(Number) ?? [];
  const found = answer.stdout.trim().replace(/^git version /, '');
  return major > 2 || (major === 2 && minor >= 38) ? ok(found) : fail(`${found}; 2.38 or later is needed`, todo);
}

/** Tries every level by running a command in it, as a worker on this host does. */
export async function sandboxLevel() {
  const scratch = await mkdtemp(join(tmpdir(), 'mission-control-doctor-'));
  try {
    const ladder = await createProcessRunner(join(scratch, 'scratch')).ladder();
    const level = bestOf(ladder, { strongest: 'bwrap' });
    const groups = ladder.groups === null ? 'no control groups: memory and processes are limited one by one' : `control groups ${ladder.groups.version}`;
    const said = [`level ${level}`, groups, ...(missingIn(ladder) === '' ? [] : [missingIn(ladder)])].join('; ');
    return isShutIn(level) ? ok(said)
      : warn(said, 'install bubblewrap (or util-linux, and allow user namespaces); until then hand in only repositories and patches whose code may run here (docs/security.md)');
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const privateFiles = ['admin.key', 'run.json', 'database.url', 'keys'];

export async function dataDirectory({ home }: Subject) {
  const folder = await modeOf(home);
  if (folder === undefined) {
    const parent = await nearest(home);
    return await mayWrite(parent) ? ok(`${home} is not there yet; the first start makes it`)
      : fail(`${home} cannot be made: ${parent} is not writable`, 'be its owner, or choose another MISSION_CONTROL_HOME');
  }
  if ((folder & 0o077) !== 0) return fail(`${home} has mode ${octal(folder)}: others may look into it`, `chmod go-rwx ${home}`);
  if (!(await mayWrite(home))) return fail(`${home} is not writable for this user`, 'be its owner, or choose another MISSION_CONTROL_HOME');
  for (const name of privateFiles) {
    const mode = await modeOf(join(home, name));
    if (mode !== undefined && (mode & 0o077) !== 0) {
      return fail(`${join(home, name)} has mode ${octal(mode)}: others may read it`, `chmod go-rwx ${join(home, name)}, and revoke keys that others may have read`);
    }
  }
  return ok(`${home}, mode ${octal(folder)}`);
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
const modeOf = (path: string): Promise<number | undefined> => stat(path).then(({ mode }) => mode & 0o777, () => undefined);
const mayWrite = (path: string): Promise<boolean> => access(path, constants.W_OK | constants.X_OK).then(() => true, () => false);

/** The nearest folder above that is there. */
async function nearest(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (dirname(folder) === folder || await stat(folder).then((found) => found.isDirectory(), () => false)) return folder;
  }
}

const gib = 1024 ** 3;
/** A checkout with its dependencies is easily a gigabyte, and PostgreSQL stops where there is no space for its log. */
const comfortable = 5 * gib;
const least = gib;

export async function diskSpace({ home, config }: Subject) {
  const free = await Promise.all([home, config.artifacts].map(async (path) => {
    const { bavail, bsize } = await statfs(await nearest(path));
    return { path, bytes: bavail * bsize };
  }));
  const { path, bytes } = free.reduce((a, b) => (b.bytes < a.bytes ? b : a));
  const said = `${(bytes / gib).toFixed(1)} GiB free for ${path}`;
  const todo = 'make room, or put MISSION_CONTROL_HOME on a larger disk';
  if (bytes < least) return fail(`${said}; missions are parked when it is full`, todo);
  return bytes < comfortable ? warn(said, todo) : ok(said);
}
