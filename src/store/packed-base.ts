/** A base commit packed for agents elsewhere, once for all missions that start there. */
import { stored } from './effects.ts';
import type { Query } from './database.ts';

/** Hex sha256 of the two artefacts. */
export interface PackedBase { bundle: string; archive: string }

export const packedBaseKey = (repositoryId: string, commit: string): string => `base:${repositoryId}:${commit}`;

export const packedBase = async (query: Query, repositoryId: string, commit: string): Promise<PackedBase | undefined> =>
  (await stored<PackedBase>(query, packedBaseKey(repositoryId, commit)))?.result;
