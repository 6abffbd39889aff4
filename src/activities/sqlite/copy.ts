/** Byte copies: a database with its WAL and its journal, which belong to it. */
import { createHash } from 'node:crypto';
import { closeSync, constants, copyFileSync, fsyncSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { join, dirname } from 'node:path';
import { files, needRoom, openToWrite, sizeOf, ToolError, totalSize } from './open.ts';

export function sha256Of(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(1024 * 1024);
    for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer)) hash.update(buffer.subarray(0, length));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/** Database, WAL and journal under another name; not the `-shm`, which is made anew from the WAL. */
export function copyDatabase(path: string, to: string): void {
  needRoom(dirname(to), totalSize(path));
  for (const part of ['database', 'journal', 'wal'] as const) {
    if (sizeOf(files(path)[part]) !== null) copyFileSync(files(path)[part], files(to)[part], constants.COPYFILE_FICLONE);
  }
}

export type CopiedFile = { part: 'database' | 'wal' | 'journal' | 'shm'; path: string; sha256: string; size_bytes: number };

/** Every file of the database into a folder, as evidence. */
export function copyEvidence(path: string, folder: string, maxBytes: number): CopiedFile[] {
  if (sizeOf(path) === null) throw new ToolError('FILE_MISSING', `${path} is not there`);
  if (totalSize(path) > maxBytes) throw new ToolError('TOO_LARGE', `${path} has more than ${maxBytes} bytes`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  needRoom(folder, totalSize(path));
  return (['database', 'wal', 'journal', 'shm'] as const).flatMap((part) => {
    const from = files(path)[part];
    const size_bytes = sizeOf(from);
    if (size_bytes === null) return [];
    const copy = join(folder, part);
    copyFileSync(from, copy);
    return [{ part, path: copy, sha256: sha256Of(copy), size_bytes }];
  });
}

/** A backup as one whole file: what stands in a WAL beside it is moved into it. */
export function wholeCopy(backup: string, to: string): void {
  removeAll(to);
  copyDatabase(backup, to);
  const db = openToWrite(to);
  try {
    const row = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
    if (row.busy !== 0) throw new ToolError('CHECKPOINT_BUSY', `the copy ${to} is in use`);
  } finally {
    db.close();
  }
  synced(to);
}

/** Of side files that we made ourselves, never of a database. */
export function removeAll(side: string): void {
  for (const file of Object.values(files(side))) rmSync(file, { force: true });
}

export function synced(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
