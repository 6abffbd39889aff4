import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/ledger/canonical.ts';
import { createArtifacts, evidence, type Artifacts } from '../../src/store/artifacts.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/repository.ts';

let db: TestDatabase;
let folder: string;
let artifacts: Artifacts;
beforeAll(async () => { db = await copyDatabase(); });
beforeEach(() => {
  folder = temporaryFolder();
  artifacts = createArtifacts(join(folder, 'artifacts'), db.database.query);
  return () => rmSync(folder, { recursive: true });
});
afterAll(() => db.drop());

const filesIn = (path: string): string[] => readdirSync(path, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
const indexed = (digest: string) => db.database.query('SELECT 1 FROM artifacts WHERE sha256 = $1', [digest]);

test('any bytes come back as they were, under their own digest', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
    const stored = await artifacts.put(bytes, 'application/octet-stream');
    expect(stored).toEqual({ sha256: sha256(bytes), size_bytes: bytes.length, media_type: 'application/octet-stream' });
    expect(new Uint8Array(await artifacts.read(stored.sha256))).toEqual(bytes);
  }), { numRuns: 30 });
});

test('the same bytes are stored once, also by ten at once, and nothing half-written stays', async () => {
  const stored = await Promise.all(Array.from({ length: 10 }, () => artifacts.put('the same text', 'text/plain')));
  const [digest = '', ...others] = new Set(stored.map((one) => one.sha256));
  expect(others).toEqual([]);
  expect(filesIn(folder)).toEqual([artifacts.pathOf(digest)]);
  expect(await indexed(digest)).toHaveLength(1);
});

test('size is counted in bytes, and nobody else may read the file', async () => {
  const stored = await artifacts.put('é', 'text/plain');
  expect(stored.size_bytes).toBe(2);
  expect(await artifacts.describe(stored.sha256)).toEqual(stored);
  expect(statSync(artifacts.pathOf(stored.sha256)).mode & 0o077).toBe(0);
});

test('JSON is stored in its canonical form: the order of fields makes no other artefact', async () => {
  const one = await artifacts.putJson({ b: 1, a: [2] });
  expect(await artifacts.putJson({ a: [2], b: 1 })).toEqual(one);
  expect((await artifacts.read(one.sha256)).toString()).toBe('{"a":[2],"b":1}');
});

test.each([
  ['changed', (path: string) => writeFileSync(path, 'the evil text')], ['cut short', (path: string) => truncateSync(path, 5)], ['emptied', (path: string) => truncateSync(path)],
])('bytes that were %s are never handed out as evidence', async (_, damage) => {
  const { sha256: digest } = await artifacts.put('the good text', 'text/plain');
  damage(artifacts.pathOf(digest));
  await expect(artifacts.read(digest)).rejects.toThrow(`artefact ${digest} is damaged`);
});

test('an artefact that is not there says so', async () => {
  await expect(artifacts.read('0'.repeat(64))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await artifacts.describe('0'.repeat(64))).toBeUndefined();
});

test('a finished file moves in under its digest', async () => {
  const source = join(folder, 'output.log');
  writeFileSync(source, 'output');
  const stored = await artifacts.putFile(source, 'text/plain');
  expect(stored).toEqual({ sha256: sha256('output'), size_bytes: 6, media_type: 'text/plain' });
  expect(existsSync(source)).toBe(false);
  expect((await artifacts.read(stored.sha256)).toString()).toBe('output');
  expect(await artifacts.describe(stored.sha256)).toEqual(stored);
});

test('a file whose bytes are stored already is removed, the stored one stays', async () => {
  const first = await artifacts.put('output', 'text/plain');
  const source = join(folder, 'output.log');
  writeFileSync(source, 'output');
  expect((await artifacts.putFile(source, 'text/plain')).sha256).toBe(first.sha256);
  expect(existsSync(source)).toBe(false);
  expect(filesIn(folder)).toEqual([artifacts.pathOf(first.sha256)]);
});

// Linux has a second file system at hand; where there is none there is nothing to cross.
const otherFileSystem = existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync(tmpdir()).dev;
test.runIf(otherFileSystem)('a file from another file system moves in too', async () => {
  const elsewhere = mkdtempSync('/dev/shm/mission-control-test-');
  try {
    const source = join(elsewhere, 'output.log');
    writeFileSync(source, 'from far away');
    const stored = await artifacts.putFile(source, 'text/plain');
    expect(existsSync(source)).toBe(false);
    expect(readFileSync(artifacts.pathOf(stored.sha256), 'utf8')).toBe('from far away');
    expect(filesIn(folder)).toEqual([artifacts.pathOf(stored.sha256)]);
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
});

test('evidence names kind, digest, size and one readable line', async () => {
  const stored = await artifacts.put('output', 'text/plain');
  expect(evidence('log', stored, 'output of npm test')).toEqual({
    kind: 'log', sha256: stored.sha256, media_type: 'text/plain', size_bytes: 6, summary: 'output of npm test',
  });
});
