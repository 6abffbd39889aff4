import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { signalSourcesSchema } from '../domain/schema/signal.ts';
import type { SignalSource } from '../domain/signal.ts';
import { readConfigFile } from './config-file.ts';

/** `config/signals.yaml`: read afresh for each webhook. @returns undefined for a source that is not declared, also without the file */
export async function findSignalSource(configFolder: string, id: string): Promise<SignalSource | undefined> {
  if (!existsSync(join(configFolder, 'signals.yaml'))) return undefined;
  const { sources } = await readConfigFile(configFolder, 'signals.yaml', signalSourcesSchema);
  return Object.hasOwn(sources, id) ? { source_id: id, ...sources[id]! } : undefined;
}
