/** Every playbook there is. A new one is a file beside this and two lines here; `missionctl playbook new` writes them. */
import { databaseCorruption } from './database-corruption.ts';
import { databaseLocked } from './database-locked.ts';
import { highLatency } from './high-latency.ts';
import { importError } from './import-error.ts';
import { memoryLeak } from './memory-leak.ts';
import type { Playbook } from './playbook.ts';
import { restartService } from './restart-service.ts';
import { runCommand } from './run-command.ts';

const all: readonly Playbook[] = [
  databaseCorruption,
  databaseLocked,
  highLatency,
  importError,
  memoryLeak,
  restartService,
  runCommand,
];

export const playbooks: ReadonlyMap<string, Playbook> = new Map(all.map((playbook) => [playbook.id, playbook]));
