/** What is wrong with a database, read line by line and table by table. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classify, indexNamedIn, type Findings, type Integrity, type TableReport } from '../../domain/sqlite.ts';
import { copyDatabase } from './copy.ts';
import { faultIn, openToRead, openToWrite, quoted, sizeOf, ToolError, totalSize, type Connection } from './open.ts';

const maxMessages = 200;
/** A file that can be read only after its journal was rolled back: that is done to a copy. */
const needsRecovery = [264, 776, 14];

/** Looks at the file as it is; only one that a died writer left in the middle is copied, and the copy looked at. */
export function integrity(path: string, maxBytes: number): Integrity {
  const size = sizeOf(path);
  if (size === null) throw new ToolError('FILE_MISSING', `${path} is not there`);
  if (totalSize(path) > maxBytes) throw new ToolError('TOO_LARGE', `${path} has more than ${maxBytes} bytes`);
  try {
    return checked(openToRead(path), size, 'in_place');
  } catch (error) {
    const fault = faultIn(error);
    if (fault === undefined || !needsRecovery.includes(fault.code)) throw error;
    const copy = join(mkdtempSync(join(tmpdir(), 'integrity-')), 'copy.db');
    copyDatabase(path, copy);
    return checked(openToWrite(copy), size, 'copy');
  }
}

function checked(db: Connection, size_bytes: number, where: Integrity['checked']): Integrity {
  try {
    const findings = look(db);
    return { ...findings, class: findings.tables.length === 0 && findings.error !== null ? 'damaged' : classify(findings), size_bytes, checked: where };
  } finally {
    db.close();
  }
}

/** @throws the error of a file that is locked or has a journal to roll back: nothing is known about it */
export function look(db: Connection): Findings {
  const lines = rowsOf(db, `PRAGMA integrity_check(${maxMessages})`);
  const messages = lines.rows.flatMap((row) => String(Object.values(row)[0]).split('\n'))
    .filter((line) => line !== 'ok' && line !== '' && !line.startsWith('*** in database'));
  const schema = rowsOf(db, "SELECT type, name, tbl_name, rootpage FROM sqlite_schema WHERE type IN ('table', 'index') AND rootpage > 0");
  const indexes = schema.rows.filter(({ type }) => type === 'index');
  return {
    error: lines.error ?? schema.error, messages,
    foreign_key_violations: danglingReferences(db),
    // SQLite's own tables (sequences, statistics) count as damaged by their trees, not as rows that somebody would miss.
    tables: schema.rows.filter(({ type, name }) => type === 'table' && !String(name).startsWith('sqlite_')).map(({ name }) => tableReport(db, String(name))),
    index_roots: indexes.map(({ rootpage }) => Number(rootpage)),
    wrong_indexes: [...new Set(messages.flatMap((message) => indexNamedIn(message) ?? []))].sort(),
  };
}

/** Rows up to where reading fails: what was told before an error is kept, `all()` would drop it. */
function rowsOf(db: Connection, sql: string): { rows: Record<string, unknown>[]; error: string | null } {
  const rows: Record<string, unknown>[] = [];
  try {
    for (const row of db.prepare(sql).iterate()) rows.push(row as Record<string, unknown>);
    return { rows, error: null };
  } catch (error) {
    return { rows, error: damageIn(error) };
  }
}

/** Null when it cannot be told: for a damaged file, or for references that are declared wrongly. */
function danglingReferences(db: Connection): number | null {
  try {
    return (db.prepare('SELECT count(*) AS n FROM pragma_foreign_key_check').get() as { n: number }).n;
  } catch (error) {
    if (faultIn(error)?.name !== 'SQLITE_ERROR') damageIn(error);
    return null;
  }
}

/** @throws what says nothing about the file: a lock, or a collation or module that only its application has */
function damageIn(error: unknown): string {
  const fault = faultIn(error);
  if (fault === undefined || ![11, 26].includes(fault.code & 0xff)) throw error;
  return `${fault.name}: ${fault.message}`;
}

function tableReport(db: Connection, name: string): TableReport {
  const entries = countEntries(db, name);
  try {
    return { name, rows: countRows(db, name), entries, error: null };
  } catch (error) {
    return { name, rows: null, entries, error: damageIn(error) };
  }
}

/**
 * Reads every column of every row, overflow pages too, from the table itself: `count(*)` is content with the smallest
 * index, and `length` of a column with the head of the row.
 */
export function countRows(db: Connection, table: string, schema = 'main'): number {
  const columns = db.prepare('SELECT name FROM pragma_table_xinfo(?, ?) WHERE hidden = 0').all(table, schema) as { name: string }[];
  const reads = columns.map(({ name }) => `, sum(length(CAST(${quoted(name)} AS BLOB)))`).join('');
  const row = db.prepare(`SELECT sum(1) AS n${reads} FROM ${schema}.${quoted(table)} NOT INDEXED`).get() as { n: number | null };
  return row.n ?? 0;
}

/** `sum(1)`: a plain `count(*)` counts in whichever index is smallest, whatever INDEXED BY says. */
function countEntries(db: Connection, table: string): number | null {
  try {
    const indexes = db.prepare('SELECT name, origin FROM pragma_index_list(?) WHERE partial = 0').all(table) as { name: string; origin: string }[];
    const counts = indexes.flatMap(({ name }) => {
      try {
        return [(db.prepare(`SELECT sum(1) AS n FROM ${quoted(table)} INDEXED BY ${quoted(name)}`).get() as { n: number | null }).n ?? 0];
      } catch {
        return []; // A broken index, or one that is the table itself, tells nothing.
      }
    });
    return counts.length === 0 ? null : Math.max(...counts);
  } catch {
    return null;
  }
}
