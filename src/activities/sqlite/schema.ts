/** A database's tables made again in a new file, empty, and what is added once their rows are there. */
import { create, quoted, readOnlyUri, type Connection } from './open.ts';

interface SchemaRow { type: string; name: string; tbl_name: string; sql: string | null; rootpage: number }

export interface Table { name: string; columns: string[]; rowid: string | null }

/** The new file as `main`, the old one beside it as `old`, read-only: rows go over inside SQLite, no value changes its type. */
export function besideNew(path: string, side: string): Connection {
  const db = create(side);
  db.exec(`ATTACH '${readOnlyUri(path).replaceAll("'", "''")}' AS old`);
  const { page_size } = db.prepare('PRAGMA old.page_size').get() as { page_size: number };
  const { encoding } = db.prepare('PRAGMA old.encoding').get() as { encoding: string };
  const { auto_vacuum } = db.prepare('PRAGMA old.auto_vacuum').get() as { auto_vacuum: number };
  db.exec(`PRAGMA main.page_size = ${page_size}; PRAGMA encoding = ${quoted(encoding)}; PRAGMA main.auto_vacuum = ${auto_vacuum}; PRAGMA foreign_keys = OFF`);
  return db;
}

const schemaOf = (db: Connection): SchemaRow[] =>
  db.prepare("SELECT type, name, tbl_name, sql, rootpage FROM old.sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").all() as SchemaRow[];

const own = ({ name }: SchemaRow): boolean => name.startsWith('sqlite_');

/** @returns the tables whose rows are to be copied; of virtual tables, those that hold their rows */
export function makeTables(db: Connection): Table[] {
  const tables = schemaOf(db).filter((row) => row.type === 'table' && row.rootpage > 0 && !own(row));
  for (const { sql } of tables) db.exec(sql!);
  return tables.map(({ name }) => ({ name, columns: columnsOf(db, name), rowid: rowidOf(db, name) }));
}

const columnsOf = (db: Connection, table: string): string[] =>
  (db.prepare("SELECT name FROM pragma_table_xinfo(?, 'old') WHERE hidden = 0").all(table) as { name: string }[]).map(({ name }) => name);

/** A name for the rowid that is no column's, or null where rows have none. */
function rowidOf(db: Connection, table: string): string | null {
  const { wr } = db.prepare("SELECT wr FROM pragma_table_list WHERE schema = 'old' AND name = ?").get(table) as { wr: number };
  if (wr === 1) return null;
  const taken = columnsOf(db, table).map((name) => name.toLowerCase());
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.includes(name)) ?? null;
}

/** Everything that fills itself from the rows or watches them, and what the header says beside. */
export function finishSchema(db: Connection): void {
  const schema = schemaOf(db);
  for (const { sql } of schema.filter((row) => row.type === 'index' && !own(row))) db.exec(sql!);
  const virtual = schema.filter((row) => row.type === 'table' && row.rootpage === 0);
  if (virtual.length > 0) {
    // As `.dump` does it: the tables behind them are there already, so the modules must not make them.
    db.exec('PRAGMA writable_schema = ON');
    const add = db.prepare("INSERT INTO main.sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)");
    for (const { name, tbl_name, sql } of virtual) add.run(name, tbl_name, sql);
    db.exec('PRAGMA writable_schema = OFF');
  }
  for (const { sql } of schema.filter((row) => row.type === 'view' || row.type === 'trigger')) db.exec(sql!);
  copySequences(db);
  for (const name of ['user_version', 'application_id'] as const) {
    const row = db.prepare(`PRAGMA old.${name}`).get() as Record<string, number>;
    db.exec(`PRAGMA main.${name} = ${row[name]}`);
  }
}

function copySequences(db: Connection): void {
  if (db.prepare("SELECT 1 FROM old.sqlite_schema WHERE name = 'sqlite_sequence'").get() === undefined) return;
  db.exec('DELETE FROM main.sqlite_sequence; INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM old.sqlite_sequence');
}

export const listed = ({ columns, rowid }: Table): string => [...(rowid === null ? [] : [rowid]), ...columns.map(quoted)].join(', ');
