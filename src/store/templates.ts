/** Templates of missions. A removed one stays, so that what was made of it can be explained. */
import type { Template } from '../domain/template.ts';
import { nextNumber } from './counters.ts';
import type { Query } from './database.ts';
import { toJson } from './json.ts';

const columns = 'template_id, name, description, package, created_by, created_at';

export async function insertTemplate(query: Query, template: Pick<Template, 'name' | 'description' | 'package' | 'created_by'>): Promise<Template> {
  const id = `template_${String(await nextNumber(query, 'template')).padStart(3, '0')}`;
  const [row] = await query<Template>(
    `INSERT INTO mission_templates (template_id, name, description, package, created_by) VALUES ($1, $2, $3, $4, $5) RETURNING ${columns}`,
    [id, template.name, template.description, toJson(template.package), template.created_by]);
  return row!;
}

export interface ListedTemplate extends Template { created_seq: number }

/** Newest first, without those that were removed. */
export async function listTemplates(query: Query, limit: number, before: number | null): Promise<ListedTemplate[]> {
  return query<ListedTemplate>(
    `SELECT ${columns}, created_seq FROM mission_templates
      WHERE removed_at IS NULL AND ($2::bigint IS NULL OR created_seq < $2) ORDER BY created_seq DESC LIMIT $1`, [limit, before]);
}

/** Also one that was removed. */
export async function findTemplate(query: Query, id: string): Promise<(Template & { removed_at: string | null }) | undefined> {
  const [row] = await query<Template & { removed_at: string | null }>(`SELECT ${columns}, removed_at FROM mission_templates WHERE template_id = $1`, [id]);
  return row;
}

/** @returns undefined when there is none, or not any more */
export async function removeTemplate(query: Query, id: string): Promise<Template | undefined> {
  const [row] = await query<Template>(
    `UPDATE mission_templates SET removed_at = clock_timestamp() WHERE template_id = $1 AND removed_at IS NULL RETURNING ${columns}`, [id]);
  return row;
}
