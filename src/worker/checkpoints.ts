/**
 * Checkpoints leave the database: whoever rewrites or truncates the ledger there cannot take back what a file and a git
 * ref already say. Both get the latest one after a short while, not every one of a busy second.
 */
import { appendFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Git } from '../git/git.ts';
import type { LedgerPaths } from '../home.ts';
import type { Logger } from '../log.ts';

const fileEveryMs = 1_000;
/** Four git processes each time. */
const refEveryMs = 10_000;
const deadLockMs = 60_000;
export const checkpointRef = 'refs/mission-control/checkpoints';

export interface CheckpointPublisher {
  publish(note: string): void;
  /** Writes what is not written yet. */
  stop(): Promise<void>;
}

export function publishCheckpoints(paths: LedgerPaths, git: Git, logger: Logger): CheckpointPublisher {
  const outlets = [
    throttled(fileEveryMs, (note) => toFile(paths.checkpoints, note), logger),
    throttled(refEveryMs, (note) => toRef(git, paths.repository, note), logger),
  ];
  return {
    publish: (note) => { for (const outlet of outlets) outlet.offer(note); },
    stop: async () => { await Promise.all(outlets.map((outlet) => outlet.flush())); },
  };
}

/** Writes the latest offer, at once after a quiet time and then at most once in `everyMs`. A failed write is tried again with the next. */
function throttled(everyMs: number, write: (note: string) => Promise<void>, logger: Logger) {
  let latest: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  function due(): void {
    timer = undefined;
    if (latest === undefined) return;
    const note = latest;
    latest = undefined;
    writing = writing.then(() => write(note)).catch((error: Error) => {
      latest ??= note;
      logger.error({ event: 'ledger.checkpoint_unpublished', reason: error.message });
    });
    timer = setTimeout(due, everyMs);
    timer.unref();
  }
  return {
    offer(note: string): void {
      latest = note;
      if (timer === undefined) due();
    },
    async flush(): Promise<void> {
      clearTimeout(timer);
      due();
      clearTimeout(timer);
      await writing;
    },
  };
}

/** One JSON object a line: `{"at", "note"}`. */
async function toFile(path: string, note: string): Promise<void> {
  await appendFile(path, `${JSON.stringify({ at: new Date().toISOString(), note })}\n`, { mode: 0o600 });
}

/** One commit for each, in a bare repository of its own: `git fetch` it from another machine and it is out of reach. */
async function toRef(git: Git, gitDir: string, note: string): Promise<void> {
  await git.run(['init', '--quiet', '--bare', '--template=', '--', gitDir]);
  const at = { gitDir };
  const blob = await git.text(['hash-object', '-w', '--stdin'], { ...at, input: note });
  const tree = await git.text(['mktree'], { ...at, input: `100644 blob ${blob}\tcheckpoint\n` });
  const parent = await git.text(['rev-parse', '--verify', '--quiet', checkpointRef], { ...at, okCodes: [1] });
  if (parent !== '' && await git.text(['rev-parse', `${parent}^{tree}`], at) === tree) return;
  const [origin, size] = note.split('\n');
  const commit = await git.text(['commit-tree', tree, ...(parent === '' ? [] : ['-p', parent]), '-m', `${origin} at ${size}`], at);
  await removeDeadLock(join(gitDir, `${checkpointRef}.lock`));
  await git.run(['update-ref', checkpointRef, commit, parent === '' ? '0'.repeat(40) : parent], at);
}

/** A git that was killed leaves its lock behind, and every later one refuses. One that lives holds it for milliseconds. */
async function removeDeadLock(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && Date.now() - found.mtimeMs > deadLockMs) await rm(path, { force: true });
}
