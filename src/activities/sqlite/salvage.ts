/** What can still be read of a damaged database, into a side file: ranges of rows, halved around what cannot be read. */
import { dirname } from 'node:path';
import { removeAll, sha256Of, synced } from './copy.ts';
import { faultIn, needRoom, quoted, totalSize, type Connection } from './open.ts';
import { besideNew, finishSchema, listed, makeTables, type Table } from './schema.ts';

export type SalvagedTable = {
  name: string;
  rows: number;
  /** Ranges of rowids that could not be read, first and last; whether there was a row is not known of each. */
  unreadable: [string, string][];
  /** Set when the tries ran out before every range was halved down to its broken rows. */
  incomplete: boolean;
};
export type Salvaged = { tables: SalvagedTable[]; sha256: string; finished: string | null };

/** Tries per table: a broken page of 50 rows takes about 100, and 20 more to be found among a million. */
const maxTries = 20_000;

export function salvage(path: string, side: string): Salvaged {
  removeAll(side);
  needRoom(dirname(side), totalSize(path));
  const db = besideNew(path, side);
  let tables: SalvagedTable[];
  let finished: string | null = null;
  try {
    // No transaction around it: after one statement has met damage, SQLite refuses to commit with those before.
    db.exec('PRAGMA main.synchronous = OFF; PRAGMA main.journal_mode = MEMORY');
    tables = makeTables(db).map((table) => salvageTable(db, table));
    try {
      db.exec('BEGIN IMMEDIATE');
      finishSchema(db);
      db.exec('COMMIT');
    } catch (error) {
      // Rows are what counts: an index that they no longer allow is told of, not insisted on.
      finished = (error as Error).message;
      db.exec('ROLLBACK');
    }
  } finally {
    db.close();
  }
  synced(side);
  return { tables, sha256: sha256Of(side), finished };
}

function salvageTable(db: Connection, table: Table): SalvagedTable {
  const name = quoted(table.name);
  const copy = `INSERT OR IGNORE INTO main.${name} (${listed(table)}) SELECT ${listed(table)} FROM old.${name} NOT INDEXED`;
  const unreadable: [bigint, bigint][] = [];
  let rows = 0;
  const attempt = (sql: string, ...range: bigint[]): boolean => {
    try {
      rows += db.prepare(sql).run(...range).changes;
      return true;
    } catch (error) {
      if (faultIn(error) === undefined) throw error;
      return false;
    }
  };
  if (attempt(copy)) return { name: table.name, rows, unreadable: [], incomplete: false };
  if (table.rowid === null) return { name: table.name, rows: 0, unreadable: [], incomplete: true };

  const [first, last] = bounds(db, table);
  const ranged = `${copy} WHERE ${table.rowid} BETWEEN ? AND ?`;
  // Widest first: when the tries run out, what is left untried is small.
  const open: [bigint, bigint][] = [[first, last]];
  let tries = 0;
  for (; open.length > 0 && tries < maxTries; tries += 1) {
    const [from, to] = open.shift()!;
    if (attempt(ranged, from, to)) continue;
    if (from === to) {
      unreadable.push([from, to]);
      continue;
    }
    const middle = (from + to) / 2n - ((from + to) % 2n < 0n ? 1n : 0n);
    open.push([from, middle], [middle + 1n, to]);
  }
  return { name: table.name, rows, unreadable: joined([...unreadable, ...open]), incomplete: open.length > 0 };
}

/** Where rowids begin and end, as far as the table, or else its indexes, still tell. */
function bounds(db: Connection, table: Table): [bigint, bigint] {
  const name = quoted(table.name);
  const indexes = db.prepare("SELECT name FROM pragma_index_list(?, 'old') WHERE partial = 0").all(table.name) as { name: string }[];
  const sources = [`old.${name} NOT INDEXED`, ...indexes.map((index) => `old.${name} INDEXED BY ${quoted(index.name)}`)];
  const ask = (what: string): bigint | undefined => {
    for (const source of sources) {
      try {
        const statement = db.prepare(`SELECT ${what}(${table.rowid}) AS n FROM ${source}`);
        statement.setReadBigInts(true);
        const { n } = statement.get() as { n: bigint | null };
        if (n !== null) return n;
      } catch { /* the next one may know */ }
    }
    return undefined;
  };
  return [ask('min') ?? 0n, ask('max') ?? 2n ** 63n - 1n];
}

function joined(ranges: [bigint, bigint][]): [string, string][] {
  const sorted = ranges.sort(([a], [b]) => (a < b ? -1 : 1));
  const result: [bigint, bigint][] = [];
  for (const [from, to] of sorted) {
    const before = result.at(-1);
    if (before !== undefined && before[1] + 1n === from) before[1] = to;
    else result.push([from, to]);
  }
  return result.slice(0, 1_000).map(([from, to]) => [String(from), String(to)]);
}
