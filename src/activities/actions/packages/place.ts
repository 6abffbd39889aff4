/** Where a project's packages lie, and the folder of ours beside them. */
import { lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { PackagesResource } from '../../../domain/subsystem.ts';
import { sha256 } from '../../../ledger/canonical.ts';
import { refused } from '../action.ts';

/** A path below the project: it cannot lead out of it. */
const inside = z.string().max(500).regex(/^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[\w.@-]+(?:\/[\w.@-]+)*$/, 'a path below the project');

/** For pip: the folder on PYTHONPATH that packages lie in, and the file that locks them. */
export const placeSchema = { site_dir: inside.nullable().default(null), requirements: inside.default('requirements.txt') };
export type PlaceInput = { site_dir: string | null; requirements: string };

/** Named by the run it is made for, so that a second try finds it. */
export const folderSchema = z.string().regex(/^\.mission-control-[0-9a-f]{12}$/, 'a folder of ours');

/** The same run on the same packages finds the same folder again. */
export const folderNameOf = (missionId: string, parts: readonly (string | null)[]): string =>
  `.mission-control-${sha256(JSON.stringify([missionId, ...parts])).slice(0, 12)}`;

export interface Place {
  manager: 'npm' | 'pip';
  project: string;
  /** The folder that programs load packages from. */
  live: string;
  manifest: string;
  lock: string;
}

export function placeOf(resource: PackagesResource, { site_dir, requirements }: PlaceInput): Place {
  const { manager, path: project } = resource;
  if (manager === 'npm') return { manager, project, live: join(project, 'node_modules'), manifest: 'package.json', lock: 'package-lock.json' };
  if (site_dir === null) throw refused('SITE_DIR_MISSING', 'the binding does not say in which folder the packages lie (site_dir)');
  return { manager, project, live: join(project, site_dir), manifest: requirements, lock: requirements };
}

/** Beside what it replaces, so that a rename is enough. `fresh` is built in it, `old` is kept in it. */
export function workFolders(place: Place, folder: string): { root: string; build: string; fresh: string; old: string; ready: string } {
  const root = join(dirname(place.live), folder);
  const name = basename(place.live);
  return { root, build: join(root, 'fresh'), fresh: join(root, 'fresh', name), old: join(root, 'old', name), ready: join(root, 'ready.json') };
}

/**
 * Which folder a path is, by device and inode; null when nothing is there.
 * @throws when it is anything but a folder: what a link points to is not ours to exchange
 */
export async function identityOf(path: string): Promise<string | null> {
  try {
    const found = await lstat(path, { bigint: true });
    if (!found.isDirectory()) throw refused('NOT_A_FOLDER', `${path} is a link or a file, not a folder`);
    return `${found.dev}:${found.ino}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
