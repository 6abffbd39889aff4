/** What activities work with. Everything comes in here; nothing is read from module state. */
import type { Client } from '@temporalio/client';
import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import type { Artifacts } from '../store/artifacts.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Database } from '../store/database.ts';
import type { Git } from '../git/git.ts';
import type { Mirrors } from '../git/mirror.ts';
import type { Worktrees } from '../git/worktrees.ts';
import type { ProcessRunner } from './process/runner.ts';

export interface ActivityDeps {
  config: Config;
  logger: Logger;
  database: Database;
  artifacts: Artifacts;
  /** One for the whole process: it keeps the last good file in force. */
  catalog: Catalog;
  git: Git;
  mirrors: Mirrors;
  worktrees: Worktrees;
  processes: ProcessRunner;
  temporal: Client;
  /** Names this host's checkouts and caches. */
  hostId: string;
  /** Queue of the activities that need this host's files. */
  hostQueue: string;
}
