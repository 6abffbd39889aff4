/** How much a run's folders hold, looked at while it runs: no file system here counts that for us. */
import { statfsSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LimitHit, Limits } from '../../domain/limits.ts';

const mib = 1024 * 1024;
/** A look takes at most this share of the time, and comes at least this often when nothing changes. */
const share = 20;
const restMs = 1_000;

export interface DiskWatch {
  /** Looks when it is time to, or when free space fell fast. */
  look(): Promise<LimitHit | null>;
}

export function watchDisk(folders: readonly string[], limits: Limits): DiskWatch {
  let next = performance.now() + restMs;
  let before = freeOn(folders[0]!);
  return {
    async look() {
      const free = freeOn(folders[0]!);
      const fast = before.bytes - free.bytes > (limits.disk_mib * mib) / 4 || before.files - free.files > limits.files / 4;
      if (!fast && performance.now() < next) return null;
      const started = performance.now();
      const found = await held(folders, limits);
      before = free;
      next = performance.now() + Math.max(restMs, (performance.now() - started) * share);
      if (found.bytes > limits.disk_mib * mib) {
        return { limit: 'disk_mib', evidence: 'certain', detail: `disk_mib ${limits.disk_mib}: its folders hold ${Math.ceil(found.bytes / mib)} MiB` };
      }
      return found.files <= limits.files ? null
        : { limit: 'files', evidence: 'certain', detail: `files ${limits.files}: its folders hold more than that` };
    },
  };
}

function freeOn(folder: string): { bytes: number; files: number } {
  const { bfree, bsize, ffree } = statfsSync(folder);
  return { bytes: bfree * bsize, files: ffree };
}

/** Counts until a limit is passed: a tree may be made faster than it is read. */
async function held(folders: readonly string[], limits: Limits): Promise<{ bytes: number; files: number }> {
  const found = { bytes: 0, files: 0 };
  const left = [...folders];
  for (let folder = left.pop(); folder !== undefined; folder = left.pop()) {
    // Whatever is removed while we look is not held any more.
    const entries = await opendir(folder).catch(() => undefined);
    if (entries === undefined) continue;
    try {
      for await (const entry of entries) {
        const path = join(folder, entry.name);
        const at = await lstat(path).catch(() => undefined);
        if (at === undefined) continue;
        found.files += 1;
        // A file with holes holds what it takes, not what it says.
        found.bytes += at.blocks * 512;
        if (at.isDirectory()) left.push(path);
        if (found.files > limits.files || found.bytes > limits.disk_mib * mib) return found;
      }
    } catch { /* removed while we read it */ }
  }
  return found;
}
