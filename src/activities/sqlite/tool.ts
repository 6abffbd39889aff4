/**
 * Everything that opens a SQLite file runs in this process, never in the worker: POSIX locks belong to a process, and
 * closing any descriptor of a file drops all of them.
 *
 * usage: tool <request as JSON>; one line of JSON on standard output: `{result}` or `{code, message}`
 */
import { backups } from './backups.ts';
import { copyEvidence, sha256Of, wholeCopy } from './copy.ts';
import { integrity } from './integrity.ts';
import { faultIn, ToolError } from './open.ts';
import { rebuild } from './rebuild.ts';
import { salvage } from './salvage.ts';
import { checkpoint, reindex, writeCheck } from './writes.ts';

const operations = {
  integrity: ({ path, max_bytes }: { path: string; max_bytes: number }) => integrity(path, max_bytes),
  write_check: ({ path, busy_timeout_ms }: { path: string; busy_timeout_ms: number }) => writeCheck(path, busy_timeout_ms),
  checkpoint: ({ path, busy_timeout_ms }: { path: string; busy_timeout_ms: number }) => checkpoint(path, busy_timeout_ms),
  reindex: ({ path, indexes }: { path: string; indexes: string[] }) => { reindex(path, indexes); return null; },
  copy_evidence: ({ path, folder, max_bytes }: { path: string; folder: string; max_bytes: number }) => copyEvidence(path, folder, max_bytes),
  backups: ({ folder, limit, max_bytes }: { folder: string; limit: number; max_bytes: number }) => backups(folder, limit, max_bytes),
  rebuild: ({ path, side }: { path: string; side: string }) => { rebuild(path, side); return null; },
  /** A backup beside the database, whole, and only the one that was looked at when planning. */
  restore: ({ backup, sha256, side, max_bytes }: { backup: string; sha256: string; side: string; max_bytes: number }) => {
    if (sha256Of(backup) !== sha256) throw new ToolError('BACKUP_CHANGED', `${backup} is no longer the file that was checked`);
    wholeCopy(backup, side);
    return integrity(side, max_bytes);
  },
  salvage: ({ path, side }: { path: string; side: string }) => salvage(path, side),
};

export type Operations = typeof operations;

function answer(): unknown {
  try {
    const { operation, ...input } = JSON.parse(process.argv[2] ?? '') as { operation: keyof Operations };
    return { result: (operations[operation] as (input: unknown) => unknown)(input) };
  } catch (error) {
    const fault = faultIn(error);
    const code = error instanceof ToolError ? error.code : fault?.name ?? 'SQLITE_TOOL_FAILED';
    return { code, message: error instanceof Error ? error.message : String(error) };
  }
}

// Copies of a database are for nobody who could not read it; whoever puts one in its place gives it the owner it had.
process.umask(0o077);
process.stdout.write(`${JSON.stringify(answer())}\n`);
