/**
 * Puts the fresh folder in the place of the one in use, and takes it back. Two renames on one file system: a worker that dies
 * between them leaves the old folder aside, and the second try finds by device and inode where each of them is.
 */
import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { defineAction, drift, refused, resourceOf, type ActionTools } from '../action.ts';
import { readyOf } from './install.ts';
import { folderSchema, identityOf, placeOf, placeSchema, workFolders } from './place.ts';

const input = z.strictObject({
  ...placeSchema, folder: folderSchema,
  /** The folder in use when it was planned, by device and inode; null when there was none. */
  live: z.string().regex(/^\d+:\d+$/).nullable(),
});
type Input = z.output<typeof input>;

/** Where the old folder and the fresh one are now. */
async function standing(wanted: Input, tools: ActionTools) {
  const place = placeOf(resourceOf(tools, 'packages'), wanted);
  const paths = workFolders(place, wanted.folder);
  const ready = await readyOf(place, wanted.folder);
  const [live, fresh, old] = [await identityOf(place.live), await identityOf(paths.fresh), await identityOf(paths.old)];
  const isNew = (identity: string | null): boolean => identity !== null && identity === ready?.identity;
  return {
    paths: { ...paths, live: place.live }, live, fresh, old,
    /** As planned: the old one in use, the fresh one waiting. */
    untouched: live === wanted.live && old === null && isNew(fresh),
    /** The old one aside, nothing in use. */
    between: wanted.live !== null && live === null && old === wanted.live && isNew(fresh),
    swapped: isNew(live) && fresh === null && old === wanted.live,
    /** The old one in use, whether the fresh one was ever made or not. */
    back: live === wanted.live && old === null,
  };
}

const changed = (path: string): ReturnType<typeof drift> => drift(`${path} is neither the folder that was planned with nor the one that was installed`);

export const swapPackages = defineAction({
  input,
  async guard(wanted, tools) {
    const { untouched, between, swapped, paths } = await standing(wanted, tools);
    if (!untouched && !between && !swapped) throw changed(paths.live);
  },
  async before() { return {}; },
  async done(wanted, _before, tools) {
    const { swapped, live } = await standing(wanted, tools);
    return swapped ? { live } : undefined;
  },
  async act(wanted, _before, tools) {
    const { untouched, paths } = await standing(wanted, tools);
    if (untouched && wanted.live !== null) {
      await mkdir(dirname(paths.old), { recursive: true });
      await move(paths.live, paths.old);
    }
    const { swapped, fresh } = await standing(wanted, tools);
    if (!swapped && fresh !== null) await move(paths.fresh, paths.live);
    return { live: await identityOf(paths.live) };
  },
});

export const swapPackagesBack = defineAction({
  input,
  async guard(wanted, tools) {
    const { back, between, swapped, paths } = await standing(wanted, tools);
    if (!back && !between && !swapped) throw changed(paths.live);
  },
  async before() { return {}; },
  async done(wanted, _before, tools) {
    const { back, live } = await standing(wanted, tools);
    return back ? { live } : undefined;
  },
  async act(wanted, _before, tools) {
    const { swapped, paths } = await standing(wanted, tools);
    if (swapped) await move(paths.live, paths.fresh);
    const { old } = await standing(wanted, tools);
    if (old !== null) await move(paths.old, paths.live);
    return { live: await identityOf(paths.live) };
  },
});

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EXDEV') throw refused('NOT_ONE_FILE_SYSTEM', `${from} and ${to} do not lie on one file system: nothing was exchanged`);
    throw error;
  }
}
