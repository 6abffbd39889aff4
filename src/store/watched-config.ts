/** A configuration file that may change while we run: read again when it did, and never replaced by a bad one. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Logger } from '../log.ts';
import { readConfigFile } from './config-file.ts';

/** File systems stamp coarsely: a file changed within this of being read may change again under the same stamp. */
const stampResolutionMs = 100;

export interface WatchedConfig<T> {
  /** What is in force. @throws Error while there has been no usable file since this process started */
  current(): Promise<T>;
  /** Why the file as it is now is not in force, or null. */
  problem(): Promise<string | null>;
}

/** One per file and process: what is in force when the file turns bad is what this process last read well. */
export function watchConfigFile<T>(folder: string, name: string, schema: z.ZodType<T>, logger?: Logger): WatchedConfig<T> {
  let good: { value: T } | undefined;
  let refused: Error | undefined;
  let stamp: string | undefined;
  let reading: Promise<void> | undefined;

  async function readIfChanged(): Promise<void> {
    const found = await stat(join(folder, name), { bigint: true }).catch(() => undefined);
    const now = found === undefined ? 'absent' : `${found.ino}:${found.size}:${found.mtimeNs}`;
    if (now === stamp) return;
    try {
      good = { value: await readConfigFile(folder, name, schema) };
      refused = undefined;
    } catch (error) {
      // Once for each new reason: a young file is looked at more than once.
      if (refused?.message !== (error as Error).message) logger?.warn({ event: 'config.refused', file: name, reason: (error as Error).message });
      refused = error as Error;
    }
    const settled = found === undefined || Date.now() - Number(found.mtimeMs) > stampResolutionMs;
    stamp = settled ? now : undefined;
  }
  const upToDate = (): Promise<void> => {
    reading ??= readIfChanged().finally(() => { reading = undefined; });
    return reading;
  };

  return {
    async current() {
      await upToDate();
      if (good === undefined) throw refused ?? new Error(`${name} was not read`);
      return good.value;
    },
    async problem() {
      await upToDate();
      return refused === undefined ? null : refused.message.replaceAll(join(folder, name), name);
    },
  };
}
