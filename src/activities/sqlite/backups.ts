/** What the backups in a folder are worth. Each is looked at as a copy of its own: a check in place could change it. */
import { existsSync, lstatSync, mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackupReport } from '../../domain/sqlite.ts';
import { removeAll, sha256Of, wholeCopy } from './copy.ts';
import { integrity } from './integrity.ts';
import { totalSize } from './open.ts';

/** Newest first, no more than `limit` of them. A folder that is not there holds none. */
export function backups(folder: string, limit: number, maxBytes: number): BackupReport[] {
  if (!existsSync(folder)) return [];
  const scratch = mkdtempSync(join(tmpdir(), 'backups-'));
  return readdirSync(folder).filter((name) => !/-(wal|shm|journal)$/.test(name)).map((name) => join(folder, name))
    .filter((path) => lstatSync(path).isFile()).map((path) => ({ path, modified: statSync(path).mtimeMs }))
    .sort((a, b) => b.modified - a.modified).slice(0, limit)
    .map(({ path, modified }) => report(path, modified, join(scratch, 'copy.db'), maxBytes));
}

function report(path: string, modified: number, copy: string, maxBytes: number): BackupReport {
  const known = { path, size_bytes: statSync(path).size, modified_at: new Date(modified).toISOString() };
  const unfit = (error: string, sha256: string): BackupReport =>
    ({ ...known, sha256, class: 'damaged', foreign_key_violations: null, rows: {}, error });
  if (totalSize(path) > maxBytes) return unfit(`has more than ${maxBytes} bytes`, '');
  let sha256 = '';
  try {
    sha256 = sha256Of(path);
    wholeCopy(path, copy);
    const found = integrity(copy, maxBytes);
    return {
      ...known, sha256, class: found.class, foreign_key_violations: found.foreign_key_violations,
      rows: Object.fromEntries(found.tables.map(({ name, rows }) => [name, rows])), error: found.error ?? found.messages[0] ?? null,
    };
  } catch (error) {
    // One that cannot be read, copied or checked is no backup; the others may be.
    return unfit(error instanceof Error ? error.message : String(error), sha256);
  } finally {
    removeAll(copy);
  }
}
