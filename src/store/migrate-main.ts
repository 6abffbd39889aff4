/** Process: applies the migrations and ends. The launcher does the same for the embedded form. */
import { readConfig } from '../config.ts';
import { migrate } from './migrate.ts';

const { migrationUrl, databaseUrl } = readConfig();
const url = migrationUrl ?? databaseUrl;
if (url === undefined) throw new Error('DATABASE_URL is not set');
const applied = await migrate(url);
console.log(applied.length === 0 ? 'nothing to migrate' : `migrated: ${applied.join(', ')}`);
