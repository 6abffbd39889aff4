import { randomUUID } from 'node:crypto';
import type { Actor } from '../domain/actor.ts';
import type { RepositorySettings } from '../domain/commands.ts';
import { noSubject } from '../domain/event.ts';
import type { Database, Query } from './database.ts';
import { insertEvents } from './events.ts';
import { toJson } from './json.ts';

export interface Repository {
  repository_id: string;
  name: string;
  /** Absolute path or URL of the origin. */
  origin: string;
  kind: 'path' | 'url';
  default_branch: string;
  settings: RepositorySettings;
  created_by: string;
  created_at: string;
}

type NewRepository = Pick<Repository, 'name' | 'origin' | 'kind' | 'default_branch' | 'settings'>;

/**
 * Registers a repository once per origin.
 * @throws a unique violation when another origin has the name
 */
export async function registerRepository(database: Database, input: NewRepository, actor: Actor): Promise<Repository> {
  return database.transaction(async (query) => {
    const [row] = await query<Repository>(
      `INSERT INTO repositories (repository_id, name, origin, kind, default_branch, settings, created_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (origin) DO NOTHING RETURNING *`,
      [`repo_${randomUUID().slice(0, 8)}`, input.name, input.origin, input.kind, input.default_branch,
        toJson(input.settings), actor.id]);
    if (row === undefined) return (await findByOrigin(query, input.origin))!;
    await insertEvents(query, [{
      type: 'repository.registered', actor, subject: noSubject,
      payload: { repository_id: row.repository_id, name: row.name, kind: row.kind },
      idempotency_key: `repository:${row.repository_id}`,
    }]);
    return row;
  });
}

export async function findByOrigin(query: Query, origin: string): Promise<Repository | undefined> {
  const [row] = await query<Repository>('SELECT * FROM repositories WHERE origin = $1', [origin]);
  return row;
}

export async function findRepository(database: Database, idOrName: string): Promise<Repository | undefined> {
  const row = await database.registry.repositories.findFirst({
    where: { OR: [{ repository_id: idOrName }, { name: idOrName }] },
  });
  return row === null ? undefined : fromRow(row);
}

export async function listRepositories(database: Database): Promise<Repository[]> {
  const rows = await database.registry.repositories.findMany({ orderBy: { created_at: 'desc' } });
  return rows.map(fromRow);
}

type Row = Awaited<ReturnType<Database['registry']['repositories']['findMany']>>[number];

const fromRow = (row: Row): Repository => ({
  ...row, kind: row.kind as Repository['kind'], settings: row.settings as unknown as RepositorySettings,
  created_at: row.created_at.toISOString(),
});
