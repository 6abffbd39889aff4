/** database_locked: whoever holds the lock is named first; only a named and listed holder is ever ended. */
import { z } from 'zod';
import { planPostgres, postgresLockedParams, postgresSteps, verifyPostgres, type PostgresLockedFacts } from './database-locked/postgres.ts';
import { planSqlite, sqliteLockedParams, sqliteSteps, verifySqlite, type SqliteLockedFacts } from './database-locked/sqlite.ts';
import { eitherDatabase } from './either-database.ts';
import { definePlaybook } from './playbook.ts';

const paramsSchema = z.strictObject({ ...sqliteLockedParams, ...postgresLockedParams });
type Params = z.output<typeof paramsSchema>;

export const databaseLocked = definePlaybook<Params, SqliteLockedFacts | PostgresLockedFacts, 'sqlite' | 'postgres'>({
  id: 'database_locked',
  version: 1,
  title: 'Free a locked database',
  match: { symptoms: ['database_locked'], resources: ['sqlite', 'postgres'] },
  risk: 'medium',
  params: paramsSchema,
  ...eitherDatabase<Params, SqliteLockedFacts, PostgresLockedFacts>(
    { plan: planSqlite, steps: sqliteSteps, verify: verifySqlite }, { plan: planPostgres, steps: postgresSteps, verify: verifyPostgres }),
  escalate: { severity: 'high', next: null, advice: 'Find out who holds the lock and why for so long: a long transaction, a deferred one that turns into a write, or a busy timeout of 0. Never delete the -wal or -journal.' },
});
