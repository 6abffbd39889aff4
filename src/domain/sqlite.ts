/** What is known about a SQLite file: who locks it, what is wrong with it, and what a backup of it is worth. */

/** What a lock on a byte of the file or of its `-shm` means. */
export type LockRole = 'reserved' | 'pending' | 'exclusive' | 'shared' | 'wal_writer' | 'wal_checkpointer' | 'wal_recovery' | 'wal_reader';

/** A process that holds a lock. What of it cannot be seen is null: it is in another namespace, or of another user. */
export type LockHolder = {
  pid: number | null;
  started: string | null;
  /** First argument of its command line, whole: what `allow_terminate` names. */
  executable: string | null;
  /** Its command line for people: shortened, values that look like secrets masked. */
  argv: string[];
  roles: LockRole[];
};

export type HeldLock = { pid: number; mode: 'READ' | 'WRITE'; from: number; to: number };

/** Device and inode as `/proc/locks` writes them. */
export type FileId = { major: number; minor: number; inode: string };

/** The POSIX locks on one file. Who only waits for a lock holds none. */
export function locksOn(procLocks: string, file: FileId): HeldLock[] {
  return procLocks.split('\n').flatMap((line): HeldLock[] => {
    const [, kind, , mode, pid, where, from, to] = line.trim().split(/\s+/);
    if ((kind !== 'POSIX' && kind !== 'OFDLCK') || (mode !== 'READ' && mode !== 'WRITE')) return [];
    const [major, minor, inode] = (where ?? '').split(':');
    if (Number.parseInt(major!, 16) !== file.major || Number.parseInt(minor!, 16) !== file.minor || inode !== file.inode) return [];
    return [{ pid: Number(pid), mode, from: Number(from), to: to === 'EOF' ? Number.MAX_SAFE_INTEGER : Number(to) }];
  });
}

const pendingByte = 0x4000_0000;
const touches = (lock: HeldLock, from: number, to = from): boolean => lock.from <= to && lock.to >= from;

/** Neighbouring locks of one process are shown as one range: what counts is which bytes it touches. */
export function rolesOf(file: 'database' | 'shm', lock: HeldLock): LockRole[] {
  const write = lock.mode === 'WRITE';
  const candidates: [boolean, LockRole][] = file === 'database'
    ? [
      [write && touches(lock, pendingByte), 'pending'], [write && touches(lock, pendingByte + 1), 'reserved'],
      [write && touches(lock, pendingByte + 2, pendingByte + 511), 'exclusive'], [!write && touches(lock, pendingByte + 2, pendingByte + 511), 'shared'],
    ]
    : [
      [write && touches(lock, 120), 'wal_writer'], [write && touches(lock, 121), 'wal_checkpointer'],
      [write && touches(lock, 122), 'wal_recovery'], [touches(lock, 123, 127), 'wal_reader'],
    ];
  return candidates.flatMap(([holds, role]) => (holds ? [role] : []));
}

const writing: readonly LockRole[] = ['reserved', 'pending', 'exclusive', 'wal_writer', 'wal_recovery'];

/** Who keeps others from writing. A writer that itself waits for readers to end is not the cause: they are. */
export function blockersOf(holders: readonly LockHolder[]): LockHolder[] {
  const writers = holders.filter(({ roles }) => roles.some((role) => writing.includes(role)));
  const waits = writers.some(({ roles }) => roles.includes('pending') && !roles.includes('exclusive'));
  const readers = holders.filter((holder) => holder.roles.includes('shared') && !writers.includes(holder));
  return waits && readers.length > 0 ? readers : writers;
}

/** Who keeps the WAL from being emptied. */
export const pinsOf = (holders: readonly LockHolder[]): LockHolder[] => holders.filter(({ roles }) => roles.includes('wal_reader'));

export const isKnown = (holder: LockHolder): holder is LockHolder & { pid: number; started: string; executable: string } =>
  holder.pid !== null && holder.started !== null && holder.executable !== null;

/** How a try to begin a write ended. */
export type WriteCheck = {
  ok: boolean;
  latency_ms: number;
  /** SQLite's name of the extended error, such as `SQLITE_BUSY`. */
  error: string | null;
  message: string | null;
};

export type TableReport = {
  name: string;
  /** By a scan of the table itself that reads every column; null when it cannot be read to its end. */
  rows: number | null;
  /** The most entries that a whole index on it has: rows that once were there. Null when no index tells. */
  entries: number | null;
  error: string | null;
};

/** `index_only`: REINDEX mends it. `tables_readable`: every row can be copied out. */
export type IntegrityClass = 'ok' | 'index_only' | 'tables_readable' | 'damaged';

export type Findings = {
  /** Why it could not even be opened or checked to the end. */
  error: string | null;
  messages: string[];
  /** Rows that refer to rows that are not there; null when that could not be checked. */
  foreign_key_violations: number | null;
  tables: TableReport[];
  /** Root pages of indexes: damage in these trees costs no row. */
  index_roots: number[];
  /** Indexes that a message names. */
  wrong_indexes: string[];
};
export type Integrity = Findings & { class: IntegrityClass; size_bytes: number; checked: 'in_place' | 'copy' };

const logicalIndex = /^(?:row \S+ missing from index |wrong # of entries in index |non-unique entry in index |rowid not at end-of-record for row \S+ of index )(.+)$/;

/** The index that a line of `integrity_check` finds wrong in its entries, though sound in its pages. */
export const indexNamedIn = (message: string): string | undefined => logicalIndex.exec(message)?.[1];

/** From parsed lines, never from exit codes: a check that ended well may have printed errors. */
export function classify(findings: Pick<Findings, 'error' | 'messages' | 'tables' | 'index_roots'>): IntegrityClass {
  const { error, messages, tables, index_roots } = findings;
  if (tables.some(({ rows }) => rows === null)) return 'damaged';
  if (error === null && messages.length === 0) return 'ok';
  if (error === null && messages.every((message) => indexNamedIn(message) !== undefined)) return 'index_only';
  const inIndex = (message: string): boolean => {
    const tree = /^Tree (\d+) /.exec(message)?.[1];
    return tree !== undefined && index_roots.includes(Number(tree));
  };
  // Without a broken index tree, an error or an orphaned page may be anything: then every row counts as in danger.
  const explained = messages.some(inIndex)
    && messages.every((message) => inIndex(message) || indexNamedIn(message) !== undefined || /^Page \d+: never used$/.test(message));
  return explained ? 'tables_readable' : 'damaged';
}

/** Rows that indexes still know and their tables do not: what REINDEX or a rebuild would drop without a word. */
export const rowsOnlyInIndexes = (tables: readonly TableReport[]): number =>
  tables.reduce((sum, { rows, entries }) => sum + (rows !== null && entries !== null ? Math.max(0, entries - rows) : 0), 0);

/** How many rows a table had, as far as anything still tells. */
const rowsKnown = ({ rows, entries }: TableReport): number | null =>
  (rows === null && entries === null ? null : Math.max(rows ?? 0, entries ?? 0));

export type BackupReport = {
  path: string;
  sha256: string;
  size_bytes: number;
  modified_at: string;
  class: IntegrityClass;
  foreign_key_violations: number | null;
  rows: Record<string, number | null>;
  error: string | null;
};

/** Why a backup may not be restored; undefined when it may. @param minRatio least part of the rows known that it must hold */
export function faultOf(backup: BackupReport, damaged: readonly TableReport[], canaries: readonly string[], minRatio: number): string | undefined {
  if (backup.class !== 'ok') return `fails its integrity check (${backup.error ?? backup.class})`;
  if (backup.foreign_key_violations !== 0) return 'has rows that refer to missing rows';
  const names = canaries.length > 0 ? canaries : damaged.map(({ name }) => name);
  for (const name of names) {
    const rows = Object.hasOwn(backup.rows, name) ? backup.rows[name]! : null;
    if (rows === null) return `has no table ${name}`;
    const table = damaged.find((one) => one.name === name);
    const known = table === undefined ? null : rowsKnown(table);
    if (known !== null && rows < known * minRatio) return `has ${rows} rows in ${name}, where ${known} are known`;
    if (known === null && rows === 0 && canaries.includes(name)) return `has no row in ${name}`;
  }
  if (Object.keys(backup.rows).length === 0) return 'has no table';
  return undefined;
}

/** Rows that restoring loses, as far as they can be counted; never 0: what changed since a backup shows in no count. */
export function lossBy(backup: Pick<BackupReport, 'rows'>, damaged: readonly TableReport[]): number {
  const counted = damaged.reduce((sum, table) => sum + Math.max(0, (rowsKnown(table) ?? 0) - (backup.rows[table.name] ?? 0)), 0);
  return Math.max(1, counted);
}

/** What a file was when it was planned with: another inode is another file. */
export type FileIdentity = { device: string; inode: string };
