import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureAdminKey } from '../../src/api/admin-key.ts';
import { parseKey } from '../../src/store/keys.ts';
import { call, type Answer } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startApi, type OwnApi } from '../support/servers.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let api: OwnApi;
let admin: string;
let approver: Answer;
const log: string[] = [];
const answers: Answer[] = [];

beforeAll(async () => {
  system = await startSystem();
  const logger = pino({ level: 'trace' }, { write: (line: string) => { log.push(line); } });
  api = await startApi({ home: system.home, databaseUrl: system.db.url, temporal: system.config.temporal.address ?? '', logger });
  await ensureAdminKey(system.home, system.db.database, system.pepper);
  admin = (await readFile(join(system.home, 'admin.key'), 'utf8')).trim();
  approver = await call(api.url, '/mission-control/keys', { key: admin, json: { principal_id: 'planted', kind: 'person', role: 'approver' } });
});
afterAll(async () => {
  await api.close();
  await system.stop();
});

const planted = (): string => String(approver.body['key']);
const remember = async (answer: Promise<Answer>): Promise<void> => { answers.push(await answer); };

/** Whatever people do with keys, and what goes wrong with them. */
async function useThem(): Promise<void> {
  const repository = system.repository(calculator);
  const body = missionBody(repository, [repository.diff(fixedAdd)]);
  for (const key of [admin, planted()]) {
    for (const path of ['/status', '/keys', '/missions', '/approvals', '/metrics', '/capa', '/repositories', '/nope', '/missions/nobody']) {
      await remember(call(api.url, `/mission-control${path}`, { key }));
      await remember(call(api.url, `/mission-control${path}?key=${key}&authorization=Bearer%20${key}`));
    }
    await remember(call(api.url, '/mission-control/missions', { key, json: body }));
    await remember(call(api.url, '/mission-control/missions', { key, json: { ...body, title: 7 } }));
    await remember(call(api.url, '/mission-control/missions', { key, raw: '{', headers: { 'content-type': 'application/json' } }));
    await remember(call(api.url, '/mission-control/approvals/nobody/approve', { key, json: { reason: 'x' } }));
    await remember(call(api.url, '/mission-control/missions', { key: `${key}0`, headers: { 'x-api-key': key, cookie: `key=${key}` } }));
  }
  // An error of ours is logged with all that is known about it.
  const { query } = system.db.database;
  await query('ALTER TABLE missions RENAME TO away');
  try {
    for (const key of [admin, planted()]) await remember(call(api.url, '/mission-control/missions', { key }));
  } finally {
    await query('ALTER TABLE away RENAME TO missions');
  }
  expect(answers.filter((answer) => answer.status === 500)).toHaveLength(2);
  await remember(call(api.url, `/mission-control/keys/${parseKey(planted())!.id}`, { key: admin, method: 'DELETE' }));
  await remember(call(api.url, '/mission-control/missions', { key: planted() }));
}

test('a key is shown at its creation and is in no table, log, file or other answer', async () => {
  expect(approver.status, approver.text).toBe(201);
  expect(approver.headers.get('cache-control')).toBe('no-store');
  await useThem();
  expect(answers.length).toBeGreaterThan(40);

  const { query } = system.db.database;
  const tables = await query<{ name: string }>("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'");
  const dump: string[] = [];
  for (const { name } of tables) dump.push(...(await query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`)).map(({ row }) => `${name}: ${row}`));
  const files: string[] = [];
  for (const entry of await readdir(system.home, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && entry.name !== 'admin.key') files.push(`${path}: ${await readFile(path, 'latin1')}`);
  }
  const places = { tables: dump, log, files, answers: answers.map((answer) => `${answer.status} ${JSON.stringify([...answer.headers])} ${answer.text}`) };

  for (const key of [admin, planted()]) {
    const { id, secret } = parseKey(key)!;
    // The search finds what may be seen: the key's id is in tables and answers.
    expect(places.tables.some((row) => row.includes(id))).toBe(true);
    expect(places.answers.some((text) => text.includes(id))).toBe(true);
    for (const [place, texts] of Object.entries(places)) {
      expect(texts.length, place).toBeGreaterThan(0);
      for (const forbidden of [secret, key, secret.slice(0, 24), Buffer.from(key).toString('base64').slice(0, 60)]) {
        expect(texts.filter((text) => text.includes(forbidden)).map((text) => text.slice(0, 200)), place).toEqual([]);
      }
    }
  }
  // The pepper is in its own file only.
  const pepper = system.pepper.toString('hex');
  for (const texts of [dump, log, places.answers]) expect(texts.filter((text) => text.includes(pepper))).toEqual([]);
  expect(files.filter((text) => text.includes(pepper)).map((text) => text.split(':').at(0))).toEqual([join(system.home, 'keys', 'pepper')]);
});

test('an error of ours is in the log under the id that the caller was given', () => {
  const failed = answers.find((answer) => answer.status === 500)!;
  expect(failed.body).toMatchObject({ code: 'INTERNAL_ERROR' });
  expect(failed.text).not.toMatch(/relation|missions"|away/);
  const line = log.find((text) => text.includes(String(failed.body['request_id'])));
  expect(line).toContain('request.failed');
});

test('the list of keys has neither secrets nor their digests', async () => {
  const { text } = await call(api.url, '/mission-control/keys', { key: admin });
  expect(text).not.toContain('hmac');
  const [row] = await system.db.database.query<{ secret_hmac: string }>('SELECT secret_hmac FROM api_keys LIMIT 1');
  expect(text).not.toContain(row?.secret_hmac);
});
