/** Puts the lock file of the commit in the place of one that drifted, and takes that back. The drifted one is kept. */
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { sha256 } from '../../../ledger/canonical.ts';
import { defineAction, drift, resourceOf, type ActionTools } from '../action.ts';
import { truthSchema } from './install.ts';
import { folderSchema, placeOf, placeSchema, workFolders } from './place.ts';
import { approvedTruth, fileOf } from './truth.ts';

const input = z.strictObject({
  ...placeSchema, ...truthSchema, folder: folderSchema,
  /** The drifted one, as it was when it was planned; null when there was none. */
  drifted_sha256: z.string().regex(/^[0-9a-f]{64}$/).nullable(),
});
type Input = z.output<typeof input>;

async function standing(wanted: Input, tools: ActionTools) {
  const place = placeOf(resourceOf(tools, 'packages'), wanted);
  const bytes = await fileOf(place.project, place.lock);
  const now = bytes === null ? null : sha256(bytes);
  return {
    place, restored: now === wanted.lock_sha256, drifted: now === wanted.drifted_sha256,
    path: join(place.project, place.lock), kept: join(workFolders(place, wanted.folder).root, 'drifted-lock'),
  };
}

const changed = (path: string): ReturnType<typeof drift> => drift(`${path} is neither the file that was planned with nor that of the commit`);

export const restoreLock = defineAction({
  input,
  async guard(wanted, tools) {
    const { place, restored, drifted, path } = await standing(wanted, tools);
    if (!restored && !drifted) throw changed(path);
    if (await approvedTruth(tools.deps.git, place, wanted) === null) throw drift(`${place.lock} of the commit is another than planned with`);
  },
  async before() { return {}; },
  async done(wanted, _before, tools) {
    return (await standing(wanted, tools)).restored ? { lock_sha256: wanted.lock_sha256 } : undefined;
  },
  async act(wanted, _before, tools) {
    const { place, drifted, path, kept } = await standing(wanted, tools);
    const truth = await approvedTruth(tools.deps.git, place, wanted);
    if (truth === null) throw drift(`${place.lock} of the commit is another than planned with`);
    await mkdir(dirname(kept), { recursive: true });
    if (drifted && wanted.drifted_sha256 !== null) await replace(kept, (to) => copyFile(path, to));
    await replace(path, (to) => writeFile(to, truth.lock));
    return { lock_sha256: wanted.lock_sha256 };
  },
});

export const returnLock = defineAction({
  input,
  async guard(wanted, tools) {
    const { restored, drifted, path } = await standing(wanted, tools);
    if (!restored && !drifted) throw changed(path);
  },
  async before() { return {}; },
  async done(wanted, _before, tools) {
    return (await standing(wanted, tools)).drifted ? { lock_sha256: wanted.drifted_sha256 } : undefined;
  },
  async act(wanted, _before, tools) {
    const { drifted, path, kept } = await standing(wanted, tools);
    if (!drifted) {
      if (wanted.drifted_sha256 === null) await rm(path);
      else await replace(path, (to) => copyFile(kept, to));
    }
    return { lock_sha256: wanted.drifted_sha256 };
  },
});

/** Whole or not at all: nobody reads half a lock file. */
async function replace(path: string, write: (to: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.mission-control`;
  await rm(temporary, { force: true });
  await write(temporary);
  await rename(temporary, path);
}
