/** A database whose tables can all be read, written anew: every row, or nothing. */
import { look, countRows } from './integrity.ts';
import { removeAll, synced } from './copy.ts';
import { classify } from '../../domain/sqlite.ts';
import { needRoom, openToRead, quoted, ToolError, totalSize } from './open.ts';
import { besideNew, finishSchema, listed, makeTables } from './schema.ts';
import { dirname } from 'node:path';

/** @throws NOT_LOSSLESS when a row of the old file is not in the new one as it was; the side file is then removed */
export function rebuild(path: string, side: string): void {
  removeAll(side);
  needRoom(dirname(side), totalSize(path));
  try {
    fill(path, side);
    const db = openToRead(side);
    try {
      const findings = look(db);
      if (classify(findings) !== 'ok') throw new ToolError('NOT_LOSSLESS', `the new file fails its check: ${findings.error ?? findings.messages[0]}`);
    } finally {
      db.close();
    }
    synced(side);
  } catch (error) {
    removeAll(side);
    throw error;
  }
}

function fill(path: string, side: string): void {
  const db = besideNew(path, side);
  try {
    const wal = (db.prepare('PRAGMA old.journal_mode').get() as { journal_mode: string }).journal_mode === 'wal';
    db.exec('BEGIN IMMEDIATE');
    const tables = makeTables(db);
    for (const table of tables) {
      const name = quoted(table.name);
      const columns = listed(table);
      db.exec(`INSERT INTO main.${name} (${columns}) SELECT ${columns} FROM old.${name} NOT INDEXED`);
      const [before, after] = [countRows(db, table.name, 'old'), countRows(db, table.name)];
      const { n: other } = db.prepare(`SELECT count(*) AS n FROM (SELECT ${columns} FROM old.${name} NOT INDEXED EXCEPT SELECT ${columns} FROM main.${name} NOT INDEXED)`).get() as { n: number };
      if (before !== after || other !== 0) throw new ToolError('NOT_LOSSLESS', `${table.name}: ${before} rows before, ${after} after, ${other} differ`);
    }
    finishSchema(db);
    db.exec('COMMIT');
    // Whoever opens it next finds the journal mode that it had.
    if (wal) db.exec('PRAGMA main.journal_mode = WAL');
  } finally {
    db.close();
  }
}
