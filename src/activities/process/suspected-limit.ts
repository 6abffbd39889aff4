/** Limits that only the command itself hears of: what a failed one printed at its end tells which it was. */
import { open } from 'node:fs/promises';
import type { LimitHit, LimitName, Limits } from '../../domain/limits.ts';

const lastBytes = 64 * 1024;

const words: [LimitName, RegExp][] = [
  ['open_files', /\bEMFILE\b|[Tt]oo many open files/],
  ['file_mib', /\bEFBIG\b|[Ff]ile too large|[Ff]ile size limit exceeded/],
  ['processes', /\bspawn \S+ EAGAIN\b|[Cc]annot fork|fork: (?:retry: )?Resource temporarily unavailable|can't start new thread/],
  ['memory_mib', /\bENOMEM\b|[Cc]annot allocate memory|JavaScript heap out of memory|std::bad_alloc|MemoryError/],
];

export async function suspectedLimit(outputFile: string, limits: Limits): Promise<LimitHit | null> {
  const file = await open(outputFile);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, lastBytes)), 0, Math.min(size, lastBytes), Math.max(0, size - lastBytes));
    const text = buffer.subarray(0, bytesRead).toString('utf8');
    const found = words.find(([, pattern]) => pattern.test(text));
    return found === undefined ? null
      : { limit: found[0], evidence: 'suspected', detail: `${found[0]} ${limits[found[0]]}: it printed "${found[1].exec(text)![0]}"` };
  } finally {
    await file.close();
  }
}
