/** Opening a SQLite file. Only in the tool's own process: closing a file drops all locks that its process holds on it. */
import { DatabaseSync } from '@photostructure/sqlite';
import { statSync, statfsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

export type Connection = InstanceType<typeof DatabaseSync>;

/** A refusal with a code that the caller knows. */
export class ToolError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export const files = (path: string) => ({ database: path, wal: `${path}-wal`, shm: `${path}-shm`, journal: `${path}-journal` });

/** Changes nothing: it neither rolls back a journal nor checkpoints a WAL. */
export const openToRead = (path: string, timeout = 2_000): Connection => new DatabaseSync(path, { readOnly: true, timeout });

/** Never creates a file. */
export function openToWrite(path: string, timeout = 5_000): Connection {
  if (sizeOf(path) === null) throw new ToolError('FILE_MISSING', `${path} is not there`);
  return new DatabaseSync(path, { timeout, defensive: false, enableForeignKeyConstraints: false });
}

export const create = (path: string): Connection => new DatabaseSync(path, { defensive: false, enableForeignKeyConstraints: false });

/** For ATTACH, which takes the mode from the URI only. */
export const readOnlyUri = (path: string): string => `${pathToFileURL(path).href}?mode=ro`;

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null;
}

/** Database, WAL and journal together. */
export const totalSize = (path: string): number =>
  [path, files(path).wal, files(path).journal].reduce((sum, file) => sum + (sizeOf(file) ?? 0), 0);

/** @throws DISK_FULL before anything is written, rather than in the middle */
export function needRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < bytes) throw new ToolError('DISK_FULL', `${folder} has no room for ${bytes} bytes`);
}

export interface SqliteFault { name: string; code: number; message: string }

/** @returns undefined when the error is none of SQLite's */
export function faultIn(error: unknown): SqliteFault | undefined {
  if (!(error instanceof Error) || !('sqliteExtendedCode' in error)) return undefined;
  const { sqliteExtendedCode: code, message } = error as Error & { sqliteExtendedCode: number };
  return { name: names[code] ?? names[code & 0xff] ?? `SQLITE_${code}`, code, message };
}

/** The extended codes that tell something of their own; of others, the kind is enough. */
const names: Record<number, string> = {
  3: 'SQLITE_PERM', 5: 'SQLITE_BUSY', 6: 'SQLITE_LOCKED', 8: 'SQLITE_READONLY', 10: 'SQLITE_IOERR', 11: 'SQLITE_CORRUPT', 13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN', 26: 'SQLITE_NOTADB', 261: 'SQLITE_BUSY_RECOVERY', 517: 'SQLITE_BUSY_SNAPSHOT', 264: 'SQLITE_READONLY_RECOVERY',
  776: 'SQLITE_READONLY_ROLLBACK', 1: 'SQLITE_ERROR',
};
