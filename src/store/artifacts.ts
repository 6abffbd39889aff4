/** The artefact store: bytes by their sha256, in a folder, indexed in PostgreSQL. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createHash } from 'node:crypto';
import type { EvidenceRef } from '../domain/stages.ts';
import { canonical, sha256 } from '../ledger/canonical.ts';
import type { Query } from './database.ts';

export interface StoredArtifact { sha256: string; size_bytes: number; media_type: string }

export interface Artifacts {
  put(data: string | Uint8Array, mediaType: string): Promise<StoredArtifact>;
  putJson(value: unknown): Promise<StoredArtifact>;
  /** Moves a finished file in; its content is hashed, never loaded whole. */
  putFile(path: string, mediaType: string): Promise<StoredArtifact>;
  /** @throws Error with code ENOENT when it is not there, Error when its bytes no longer match its name */
  read(digest: string): Promise<Buffer>;
  describe(digest: string): Promise<StoredArtifact | undefined>;
  pathOf(digest: string): string;
}

export function createArtifacts(folder: string, query: Query): Artifacts {
  const pathOf = (digest: string): string => join(folder, digest.slice(0, 2), digest.slice(2));

  async function index(artifact: StoredArtifact): Promise<StoredArtifact> {
    await query('INSERT INTO artifacts (sha256, size_bytes, media_type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [artifact.sha256, artifact.size_bytes, artifact.media_type]);
    return artifact;
  }

  async function put(data: string | Uint8Array, mediaType: string): Promise<StoredArtifact> {
    const bytes = Buffer.from(data as string);
    const digest = sha256(bytes);
    const path = pathOf(digest);
    if (!(await exists(path))) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const temporary = `${path}.${randomUUID()}`;
      try {
        await writeSynced(temporary, bytes);
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        // A write that found no space does not say where.
        throw Object.assign(error as Error, { path });
      }
    }
    return index({ sha256: digest, size_bytes: bytes.length, media_type: mediaType });
  }

  return {
    put,
    pathOf,
    putJson: (value) => put(canonical(value), 'application/json'),
    async putFile(source, mediaType) {
      const hash = createHash('sha256');
      await pipeline(createReadStream(source), hash);
      const digest = hash.digest('hex');
      const path = pathOf(digest);
      const { size } = await stat(source);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      if (await exists(path)) await rm(source, { force: true });
      else await move(source, path);
      return index({ sha256: digest, size_bytes: size, media_type: mediaType });
    },
    async read(digest) {
      const bytes = await readFile(pathOf(digest));
      if (sha256(bytes) !== digest) throw new Error(`artefact ${digest} is damaged: its bytes have another digest`);
      return bytes;
    },
    async describe(digest) {
      const [row] = await query<StoredArtifact>(
        'SELECT sha256, size_bytes, media_type FROM artifacts WHERE sha256 = $1', [digest]);
      return row;
    },
  };
}

/** A rename, or a copy and a rename where the source lies on another file system. Synced first, as in `put`. */
async function move(source: string, path: string): Promise<void> {
  await sync(source);
  try {
    await rename(source, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const temporary = `${path}.${randomUUID()}`;
    await copyFile(source, temporary);
    await sync(temporary);
    await rename(temporary, path);
    await rm(source, { force: true });
  }
}

/** Synced before it is renamed: a name never stands for half its bytes, not even after a power cut. */
async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);

export const evidence = (kind: string, artifact: StoredArtifact, summary: string): EvidenceRef =>
  ({ kind, ...artifact, summary });
