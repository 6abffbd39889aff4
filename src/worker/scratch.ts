/** Temporary files of workers that were killed: removed by the next one that starts on the same data directory. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeFolder } from '../git/remove-folder.ts';
import type { Logger } from '../log.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../processes.mjs';
import { pidNamespace } from './unfinished.ts';

interface Resident { worker: ProcessIdentity; pids: string }

/** What one run makes for itself carries a random UUID; what is kept for a retry is named after its key. */
const ofOneRun = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/**
 * Notes that this worker lives here, and clears away what dead ones left in the scratch folder. While another worker lives
 * on the data directory nothing is removed: whose a file is cannot be told. Call it before this worker takes work.
 */
export async function clearScratch(home: string, logger: Logger): Promise<void> {
  if (await othersLiveHere(home)) return;
  const scratch = join(home, 'scratch');
  const left = (await readdir(scratch)).filter((name) => ofOneRun.test(name));
  // A file that cannot be removed is no reason not to work.
  await Promise.all(left.map((name) => removeFolder(join(scratch, name)).catch((error: Error) => {
    logger.warn({ event: 'scratch.not_cleared', name, reason: error.message });
  })));
  if (left.length > 0) logger.info({ event: 'scratch.cleared', entries: left.length });
}

async function othersLiveHere(home: string): Promise<boolean> {
  const folder = join(home, 'workers');
  const mine: Resident = { worker: identityOf(process.pid), pids: pidNamespace() };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Noted before looking: of two that start at once, at least one sees the other.
  await writeFile(join(folder, String(process.pid)), JSON.stringify(mine), { mode: 0o600 });
  let others = false;
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    // Whoever wrote it may have been killed in the middle.
    const entry = await readFile(file, 'utf8').then((text) => JSON.parse(text) as Resident).catch(() => undefined);
    if (entry !== undefined && entry.worker.pid === process.pid && entry.pids === mine.pids) continue;
    if (entry !== undefined && (entry.pids !== mine.pids || isAlive(entry.worker))) others = true;
    else await rm(file, { force: true });
  }
  return others;
}
