/** Small things done to a live database: can a write begin, can its WAL be emptied, do its indexes fit its tables. */
import { performance } from 'node:perf_hooks';
import type { WriteCheck } from '../../domain/sqlite.ts';
import { faultIn, openToRead, openToWrite, quoted, sizeOf } from './open.ts';

/** `BEGIN IMMEDIATE; ROLLBACK`: takes the write lock and gives it back. */
export function writeCheck(path: string, busyTimeoutMs: number): WriteCheck {
  const started = performance.now();
  const elapsed = (): number => Math.round(performance.now() - started);
  if (sizeOf(path) === null) return { ok: false, latency_ms: 0, error: 'SQLITE_CANTOPEN', message: `${path} is not there` };
  // Whoever closes last checkpoints the WAL. This one, which cannot write, stays until the other is closed, so nobody does.
  const beside = openToRead(path, busyTimeoutMs);
  try {
    try { beside.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get(); } catch { /* the write below tells why */ }
    const db = openToWrite(path, busyTimeoutMs);
    try {
      db.exec('BEGIN IMMEDIATE');
      const latency_ms = elapsed();
      db.exec('ROLLBACK');
      return { ok: true, latency_ms, error: null, message: null };
    } finally {
      db.close();
    }
  } catch (error) {
    const fault = faultIn(error);
    if (fault === undefined) throw error;
    return { ok: false, latency_ms: elapsed(), error: fault.name, message: fault.message };
  } finally {
    beside.close();
  }
}

export type Checkpoint = { busy: boolean; log_frames: number; checkpointed_frames: number };

/** The row is the answer: a checkpoint that a reader holds up ends without an error. */
export function checkpoint(path: string, busyTimeoutMs: number): Checkpoint {
  const db = openToWrite(path, busyTimeoutMs);
  try {
    const row = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number; log: number; checkpointed: number };
    return { busy: row.busy !== 0, log_frames: row.log, checkpointed_frames: row.checkpointed };
  } finally {
    db.close();
  }
}

/** One transaction: either all named indexes are made anew, or none. */
export function reindex(path: string, indexes: readonly string[]): void {
  const db = openToWrite(path);
  try {
    db.exec(['BEGIN IMMEDIATE', ...indexes.map((name) => `REINDEX ${quoted(name)}`), 'COMMIT'].join(';\n'));
  } finally {
    db.close();
  }
}
