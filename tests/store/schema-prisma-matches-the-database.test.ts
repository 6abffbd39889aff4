import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../src/project.ts';
import type { Query } from '../../src/store/database.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const sqlTypes: Record<string, string> = {
  String: 'text', Int: 'int4', BigInt: 'int8', Float: 'float8', Boolean: 'bool', Json: 'jsonb', DateTime: 'timestamp(3)', Bytes: 'bytea',
};

/** `table.column` → `type` or `type?` as prisma/schema.prisma declares it, and `table` → its primary key. */
function declared(): Record<string, string> {
  const schema = readFileSync(join(projectRoot, 'prisma', 'schema.prisma'), 'utf8');
  const models = [...schema.matchAll(/^model (\w+) \{\n(.*?)^\}/gms)].map(([, name = '', body = '']) => ({ name, body }));
  const names = new Set(models.map(({ name }) => name));
  return Object.fromEntries(models.flatMap(({ name: table, body }) => {
    const lines = body.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('//'));
    const fields = lines.filter((line) => !line.startsWith('@@')).map((line) => {
      const [, column = '', type = '', array, optional, attributes = ''] = /^(\w+)\s+(\w+)(\[\])?(\?)?(.*)$/.exec(line) ?? [];
      return { column, type, array, optional, attributes };
    }).filter(({ type }) => !names.has(type));
    const columns = fields.map(({ column, type, array, optional, attributes }) => {
      const native = /@db\.Timestamptz\((\d)\)/.exec(attributes)?.[1];
      const base = native !== undefined ? `timestamptz(${native})` : attributes.includes('@db.Uuid') ? 'uuid' : sqlTypes[type] ?? `unknown type ${type}`;
      return [`${table}.${column}`, `${base}${array ?? ''}${optional ?? ''}`] as const;
    });
    const compound = lines.map((line) => /^@@id\(\[(.*)\]\)/.exec(line)?.[1]).find((id) => id !== undefined);
    const single = fields.find(({ attributes }) => /@id\b/.test(attributes))?.column;
    return [...columns, [table, `primary key (${compound ?? single ?? 'none'})`] as const];
  }));
}

/** The same of what is in the database. */
async function live(query: Query): Promise<Record<string, string>> {
  const columns = await query<{ name: string; type: string; precision: number | null; nullable: string }>(
    `SELECT c.table_name || '.' || c.column_name AS name, c.udt_name AS type, c.datetime_precision AS precision, c.is_nullable AS nullable
       FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
      WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.table_name <> '_prisma_migrations'`);
  const keys = await query<{ name: string; columns: string }>(
    `SELECT t.relname AS name, string_agg(a.attname, ', ' ORDER BY array_position(i.indkey::int2[], a.attnum)) AS columns
       FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(i.indkey)
      WHERE i.indisprimary AND t.relnamespace = 'public'::regnamespace AND t.relname <> '_prisma_migrations' GROUP BY t.relname`);
  return Object.fromEntries([
    ...columns.map(({ name, type, precision, nullable }) => {
      const element = type.startsWith('_') ? `${type.slice(1)}[]` : type;
      return [name, `${element}${precision === null ? '' : `(${precision})`}${nullable === 'YES' ? '?' : ''}`] as const;
    }),
    ...keys.map(({ name, columns }) => [name, `primary key (${columns})`] as const),
  ]);
}

test('every table, column, type, nullability and primary key is the same in both', async () => {
  const inDatabase = await live(db.database.query);
  expect(Object.keys(inDatabase).length).toBeGreaterThan(100);
  expect(inDatabase).toEqual(declared());
});

test.each([
  ['another table', 'CREATE TABLE surprise (id text PRIMARY KEY)'],
  ['a table less', 'DROP TABLE merge_queues'],
  ['another column', 'ALTER TABLE missions ADD COLUMN mood text'],
  ['a column less', 'ALTER TABLE missions DROP COLUMN landed_tree'],
  ['another type', 'ALTER TABLE missions ALTER COLUMN progress TYPE bigint'],
  ['another precision', 'ALTER TABLE missions ALTER COLUMN ended_at TYPE timestamptz(6)'],
  ['a column that may be empty', 'ALTER TABLE missions ALTER COLUMN severity DROP NOT NULL'],
  ['a column that may not be empty', 'ALTER TABLE missions ALTER COLUMN outcome SET NOT NULL'],
  ['another primary key', 'ALTER TABLE mission_stages DROP CONSTRAINT mission_stages_pkey, ADD PRIMARY KEY (mission_id, attempt, name)'],
])('%s would be noticed', async (_, sql) => {
  const undo = new Error('undone');
  const changed = db.database.transaction(async (query) => {
    await query(sql);
    // The connection of the transaction is the only one that sees the change.
    const seen = await live(query);
    expect(seen).not.toEqual(declared());
    throw undo;
  });
  await expect(changed).rejects.toBe(undo);
});
