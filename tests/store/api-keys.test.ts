import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../../src/ledger/canonical.ts';
import { addKey, authenticate, listKeys, newKeyText, parseKey, revokeKey, type NewKey } from '../../src/store/keys.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { actor } from './fixtures.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const pepper = randomBytes(32);
const anna: NewKey = { principal_id: 'anna', kind: 'person', role: 'approver', name: 'laptop', expires_at: null };
const idOf = (text: string): string => text.slice(4, 20);
async function added(key: Partial<NewKey> = {}): Promise<string> {
  const text = newKeyText();
  await addKey(db.database, pepper, text, { ...anna, ...key }, actor);
  return text;
}
const who = (text: string) => authenticate(db.database, pepper, text);

test('a key says who its holder is', async () => {
  const text = await added();
  expect(await who(text)).toEqual({ id: 'anna', kind: 'person', role: 'approver', key_id: idOf(text) });
});

test('no secret is stored anywhere, nor handed out again', async () => {
  const text = await added();
  const secret = parseKey(text)!.secret;
  const tables = await db.database.query<{ name: string }>("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'");
  const everything = await Promise.all(tables.map(({ name }) => db.database.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`)));
  const dump = JSON.stringify(everything);
  expect(dump).toContain(idOf(text));
  for (const part of [secret, text.slice(-72, -8), text.slice(-24)]) expect(dump).not.toContain(part);
  expect(JSON.stringify(await listKeys(db.database))).not.toMatch(/hmac|secret/);
});

test('with another pepper, a copy of the database opens nothing', async () => {
  const text = await added();
  expect(await authenticate(db.database, randomBytes(32), text)).toBeUndefined();
});

test('a revoked key opens nothing from then on, and revoking it twice keeps the first time', async () => {
  const [text, other] = [await added(), await added()];
  const first = await revokeKey(db.database, idOf(text), actor);
  expect(first).toMatchObject({ revoked_at: expect.any(String) });
  expect(await who(text)).toBeUndefined();
  expect(await revokeKey(db.database, idOf(text), actor)).toEqual(first);
  expect(await who(other)).toBeDefined();
  const told = await db.database.query("SELECT 1 FROM events WHERE type = 'key.revoked' AND idempotency_key = $1", [`key:${idOf(text)}:revoked`]);
  expect(told).toHaveLength(1);
});

test('the last admin key stays, also when two admins revoke each other at once', async () => {
  const admin = { role: 'admin' } as const;
  const late = await added({ ...admin, expires_at: new Date(Date.now() - 1).toISOString() });
  const [one, left] = [await added(admin), await added(admin)];
  const second = await db.database.transaction(async (query) => {
    await query('UPDATE api_keys SET revoked_at = clock_timestamp() WHERE key_id = $1', [idOf(one)]);
    const done = { yet: false };
    const revoking = revokeKey(db.database, idOf(left), actor).finally(() => { done.yet = true; });
    // Until it waits for the first to be through; if it does not wait, it has seen an admin who is none any more.
    while (!done.yet && (await db.database.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")).length === 0);
    return { revoking };
  });
  expect(await second.revoking).toBe('last_admin_key');
  // An expired key is nobody's way in; a key of another role makes no keys.
  expect(await revokeKey(db.database, idOf(left), actor)).toBe('last_admin_key');
  expect(await who(left)).toBeDefined();
  expect(await revokeKey(db.database, idOf(late), actor)).toMatchObject({ revoked_at: expect.any(String) });
  await added(admin);
  expect(await revokeKey(db.database, idOf(left), actor)).toMatchObject({ revoked_at: expect.any(String) });
});

test('there is nothing to revoke where there is no key', async () => {
  expect(await revokeKey(db.database, '0'.repeat(16), actor)).toBeUndefined();
});

test('a key ends when it expires', async () => {
  expect(await who(await added({ expires_at: new Date(Date.now() - 1).toISOString() }))).toBeUndefined();
  expect(await who(await added({ expires_at: new Date(Date.now() + 3_600_000).toISOString() }))).toBeDefined();
});

test('a key that was never added opens nothing', async () => {
  expect(await who(newKeyText())).toBeUndefined();
});

test('the right id with another secret opens nothing, though its checksum is right', async () => {
  const text = await added();
  const secret = 'ab'.repeat(32);
  const forged = `mck_${idOf(text)}_${secret}${sha256(`${idOf(text)}:${secret}`).slice(0, 8)}`;
  expect(parseKey(forged)).toEqual({ id: idOf(text), secret });
  expect(await who(forged)).toBeUndefined();
  expect(await who(text)).toBeDefined();
});

test('one changed character makes a text that is no key of ours', async () => {
  const text = await added();
  fc.assert(fc.property(fc.nat(text.length - 1), fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }), (at, letter) => {
    const changed = text.slice(0, at) + letter + text.slice(at + 1);
    expect(parseKey(changed) === undefined).toBe(changed !== text);
  }));
});

test.each([
  ['nothing', () => ''], ['half a key', (text: string) => text.slice(0, 40)], ['a longer key', (text: string) => `${text}0`],
  ['capitals', (text: string) => text.toUpperCase()], ['a line end behind it', (text: string) => `${text}\n`], ['spaces around it', (text: string) => ` ${text} `],
  ['SQL', () => "mck_' OR true --"],
])('%s is refused without asking the database', async (_, garble) => {
  const text = garble(await added());
  const unreachable = { ...db.database, query: () => Promise.reject(new Error('was asked')) };
  expect(await authenticate(unreachable, pepper, text)).toBeUndefined();
});

test('a key text that is stored already keeps its first holder, also when it is added five times at once', async () => {
  const text = await added();
  await addKey(db.database, pepper, text, { ...anna, principal_id: 'mallory', role: 'admin' }, actor);
  expect(await who(text)).toMatchObject({ id: 'anna', role: 'approver' });
  const fresh = newKeyText();
  await Promise.all(Array.from({ length: 5 }, () => addKey(db.database, pepper, fresh, anna, actor)));
  expect(await db.database.query('SELECT 1 FROM events WHERE idempotency_key = $1', [`key:${idOf(fresh)}:added`])).toHaveLength(1);
});

test('a text that is no key of ours is not stored', async () => {
  await expect(addKey(db.database, pepper, 'secret', anna, actor)).rejects.toThrow('not a key of ours');
});
