/** What routes work with. */
import type { Client } from '@temporalio/client';
import type { Config } from '../config.ts';
import type { EventStream } from '../events/stream.ts';
import type { Git } from '../git/git.ts';
import type { Mirrors } from '../git/mirror.ts';
import type { Logger } from '../log.ts';
import type { Artifacts } from '../store/artifacts.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Database } from '../store/database.ts';

export interface ApiDeps {
  config: Config;
  logger: Logger;
  database: Database;
  artifacts: Artifacts;
  catalog: Catalog;
  temporal: Client;
  git: Git;
  mirrors: Mirrors;
  pepper: Buffer;
  stream: EventStream;
}
