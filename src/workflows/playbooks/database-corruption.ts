/** database_corruption: evidence first, the cheapest repair that loses nothing, and never a loss without saying so. */
import { z } from 'zod';
import { planPostgres, postgresCorruptionParams, postgresSteps, verifyPostgres, type PostgresCorruptionFacts } from './database-corruption/postgres.ts';
import { planSqlite, sqliteCorruptionParams, sqliteSteps, verifySqlite, type SqliteCorruptionFacts } from './database-corruption/sqlite.ts';
import { eitherDatabase } from './either-database.ts';
import { definePlaybook } from './playbook.ts';

const paramsSchema = z.strictObject({ ...sqliteCorruptionParams, ...postgresCorruptionParams });
type Params = z.output<typeof paramsSchema>;

export const databaseCorruption = definePlaybook<Params, SqliteCorruptionFacts | PostgresCorruptionFacts, 'sqlite' | 'postgres'>({
  id: 'database_corruption',
  version: 1,
  title: 'Mend a damaged database',
  match: { symptoms: ['database_corruption'], resources: ['sqlite', 'postgres'] },
  risk: 'high',
  params: paramsSchema,
  ...eitherDatabase<Params, SqliteCorruptionFacts, PostgresCorruptionFacts>(
    { plan: planSqlite, steps: sqliteSteps, verify: verifySqlite }, { plan: planPostgres, steps: postgresSteps, verify: verifyPostgres }),
  escalate: { severity: 'critical', next: null, advice: 'Look at the disk and at who writes to the file. The damaged files are in the artefact store, byte by byte; nothing was deleted.' },
});
