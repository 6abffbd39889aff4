/** Puts a finished side file in a database's place. The old files keep their bytes under another name; none is deleted. */
import { chmod, chown, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FileIdentity } from '../../../domain/sqlite.ts';
import { drift, refused, type ActionTools } from '../action.ts';
import { openersThatStay } from './holders.ts';
import { identityOfFile, planned, sameFile } from './tool.ts';

/** What lies beside a database goes first: a journal or WAL left for the next file would be played into it. */
const beside = ['-journal', '-wal', '-shm', ''] as const;

export interface Replacement {
  path: string;
  /** The file that the plan was made for. */
  identity: FileIdentity;
  /** The new file, finished and checked, beside the old one. */
  side: string;
  /** Where the old file goes, with what lies beside it. */
  quarantine: string;
}

/**
 * `begun`: the side file was finished, and some of the old files, or all, have their new names. The database without its WAL
 * or journal is no longer a source of anything then.
 */
export async function stateOf({ path, identity, side, quarantine }: Replacement): Promise<'untouched' | 'begun' | 'replaced' | 'other'> {
  const [now, aside, ready] = await Promise.all([path, quarantine, side].map(identityOfFile));
  if (sameFile(now, identity)) {
    const partsAside = await Promise.all(beside.map((suffix) => identityOfFile(`${quarantine}${suffix}`)));
    if (partsAside.every((part) => part === undefined)) return 'untouched';
    return ready === undefined ? 'other' : 'begun';
  }
  if (!sameFile(aside, identity)) return 'other';
  if (now === undefined) return ready === undefined ? 'other' : 'begun';
  return ready === undefined ? 'replaced' : 'other';
}

/** @throws drift for another file, DATABASE_IN_USE while anybody has it open: they would go on writing to the old one */
export async function guardReplacement(input: Replacement, tools: ActionTools): Promise<void> {
  const state = await stateOf(input);
  if (state === 'begun') return;
  const { resource } = await planned(tools, input.path);
  if (state !== 'untouched') throw drift(`${input.path} is not the file that was planned with`);
  const { pids, complete } = await openersThatStay(input.path);
  if (pids.length > 0) throw refused('DATABASE_IN_USE', `${input.path} is open in ${pids.map((pid) => `pid ${pid}`).join(', ')}`);
  if (!complete && resource.writers.length === 0) {
    throw refused('WRITERS_UNKNOWN', `not every process here can be looked into, and ${tools.resource_id} declares no writers that could be stopped`);
  }
}

/** The new file belongs to whom the old one did: its writers must be able to write. @throws OWNER_NOT_KEPT */
export async function keepOwner({ path, side }: Replacement): Promise<void> {
  const [old, now] = await Promise.all([stat(path), stat(side)]);
  try {
    if (old.uid !== now.uid || old.gid !== now.gid) await chown(side, old.uid, old.gid);
    await chmod(side, old.mode & 0o7777);
  } catch (error) {
    throw refused('OWNER_NOT_KEPT', `${side} cannot be given to the owner of ${path}: ${(error as Error).message}`);
  }
}

/** Every rename is made once, however often this is called. */
export async function replace({ path, side, quarantine }: Replacement): Promise<void> {
  await moveAll(path, quarantine);
  await rename(side, path);
  await syncFolder(dirname(path));
}

/** Also of a file that is gone already: an earlier try moved it. */
export async function moveAll(from: string, to: string): Promise<void> {
  for (const suffix of beside) {
    if (await identityOfFile(`${from}${suffix}`) === undefined) continue;
    if (await identityOfFile(`${to}${suffix}`) !== undefined) throw drift(`${to}${suffix} is there already`);
    await rename(`${from}${suffix}`, `${to}${suffix}`);
  }
  await syncFolder(dirname(from));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
