import { defineConfig } from 'prisma/config';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  // process.env rather than env(): `prisma generate` must work without a database.
  datasource: { url: process.env['MISSION_CONTROL_MIGRATION_URL'] ?? process.env['DATABASE_URL'] ?? '' },
});
