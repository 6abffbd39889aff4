/** One launcher per data directory. Plain JavaScript: the check comes before any build. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isAlive } from '../../processes.mjs';

/** @typedef {import('../../processes.mjs').ProcessIdentity} ProcessIdentity */

/**
 * Takes the data directory for this process, or says who has it. A lock of a dead process is taken over.
 * @param {string} home
 * @returns {{ holder: ProcessIdentity } | { release: () => void }}
 */
export function takeHome(home) {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const path = join(home, 'launcher.lock');
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(identityOf(process.pid)), { mode: 0o600 });
  try {
    for (;;) {
      try {
        linkSync(mine, path);
        return { release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
      }
      const text = readText(path);
      if (text === undefined) continue;
      const holder = parse(text);
      if (holder !== undefined && isAlive(holder)) return { holder };
      // Two starts may find the same dead lock: only that one may be moved away, never a new one.
      const stale = `${mine}.stale`;
      try { renameSync(path, stale); } catch { continue; }
      const moved = readText(stale);
      if (moved !== text) {
        try { linkSync(stale, path); } catch { /* a third one has it */ }
      }
      rmSync(stale, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function readText(path) {
  try { return readFileSync(path, 'utf8'); } catch { return undefined; }
}

/**
 * @param {string} text
 * @returns {ProcessIdentity | undefined}
 */
function parse(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}
