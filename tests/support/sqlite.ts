/** SQLite files that a test breaks, and processes that hold them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, cpSync, openSync, readdirSync, statSync, utimesSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DatabaseSync } from '@photostructure/sqlite';
import { startedAt } from '../../src/processes.mjs';

export const ownerScript = fileURLToPath(new URL('./sqlite-owner.mjs', import.meta.url));
const pageSize = 4_096;

/** One open of the file, for as long as the work takes. */
export function withDatabase<T>(path: string, work: (db: InstanceType<typeof DatabaseSync>) => T): T {
  const db = new DatabaseSync(path, { timeout: 5_000, defensive: false });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** Orders with an index on the customer and a unique one on the number, and a table of customers they refer to. */
export function makeShop(path: string, rows = 3_000, journal: 'DELETE' | 'WAL' = 'DELETE'): void {
  withDatabase(path, (db) => {
    db.exec(`PRAGMA journal_mode = ${journal};
      CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
      CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), number INTEGER UNIQUE, note TEXT);
      CREATE INDEX orders_note ON orders (note);
      INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace')`);
    addOrders(db, 1, rows);
  });
}

export const addOrders = (db: InstanceType<typeof DatabaseSync>, from: number, to: number): void =>
  db.exec(`WITH RECURSIVE n(x) AS (SELECT ${from} UNION ALL SELECT x + 1 FROM n WHERE x < ${to})
    INSERT INTO orders SELECT x, 1 + x % 2, x * 3, 'note of order ' || x FROM n`);

export const countOrders = (path: string): number =>
  withDatabase(path, (db) => (db.prepare('SELECT sum(1) AS n FROM orders NOT INDEXED').get() as { n: number }).n);

/** Writes garbage over one leaf page of a table or an index; of a header, page 1. */
export function breakPage(path: string, what: 'header' | 'orders' | 'orders_note'): void {
  const page = what === 'header' ? 1 : withDatabase(path, (db) => {
    const leaves = db.prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path").all(what) as { pageno: number }[];
    return leaves[Math.floor(leaves.length / 2)]!.pageno;
  });
  const file = openSync(path, 'r+');
  try {
    writeSync(file, Buffer.alloc(pageSize, 0x5a), 0, pageSize, (page - 1) * pageSize);
  } finally {
    closeSync(file);
  }
}

/** Rows are written or removed behind an index's back: its pages are sound, its entries wrong. */
export function makeIndexLie(path: string, change: (db: InstanceType<typeof DatabaseSync>) => void, index = 'orders_note'): void {
  const row = withDatabase(path, (db) => {
    db.exec('PRAGMA writable_schema = ON');
    const found = db.prepare('SELECT * FROM sqlite_schema WHERE name = ?').get(index) as Record<string, string | number>;
    db.prepare('DELETE FROM sqlite_schema WHERE name = ?').run(index);
    return found;
  });
  withDatabase(path, change);
  withDatabase(path, (db) => {
    db.exec('PRAGMA writable_schema = ON');
    db.prepare('INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)').run(row['type']!, row['name']!, row['tbl_name']!, row['rootpage']!, row['sql']!);
  });
}

/** A copy with everything beside it, dated as told. */
export function backup(path: string, to: string, modified: Date): void {
  cpSync(path, to);
  utimesSync(to, modified, modified);
}

/** Names beside the database, its own not counted. */
export const besideOf = (path: string): string[] =>
  readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)) && name !== basename(path)).sort();

export const inodeOf = (path: string): number => statSync(path).ino;
export const identityOfPath = (path: string): { device: string; inode: string } => {
  const { dev, ino } = statSync(path, { bigint: true });
  return { device: String(dev), inode: String(ino) };
};

export interface Owner { pid: number; started: string; process: ChildProcess; ended: Promise<unknown> }

const owners: ChildProcess[] = [];

/** @param argv0 how it calls itself; node's own path unless told */
export async function startOwner(path: string, holds: 'write' | 'commit' | 'read' | 'open' | 'idle', { manner = '', argv0 = process.execPath }: { manner?: string; argv0?: string } = {}): Promise<Owner> {
  const child = spawn(process.execPath, [ownerScript, path, holds, manner], { argv0, stdio: ['ignore', 'pipe', 'inherit'] });
  owners.push(child);
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended.then(() => { throw new Error('the owner ended'); })]);
  return { pid: child.pid!, started: startedAt(child.pid!)!, process: child, ended };
}

export async function endOwners(): Promise<void> {
  for (const child of owners.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

export const owned = ({ pid, started }: Owner, path: string) => ({ path, pid, started, executable: process.execPath });
