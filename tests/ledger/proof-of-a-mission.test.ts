/** What a mission leaves behind proves it to somebody who has neither our database nor our word. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { checkLandings } from '../../src/ledger/git-check.ts';
import { isConsistent } from '../../src/ledger/merkle.ts';
import type { MissionExport } from '../../src/ledger/mission-export.ts';
import { openCheckpoint, parseVkey, type Verifier } from '../../src/ledger/note.ts';
import { recordHash, type LedgerRecord } from '../../src/ledger/record.ts';
import { checkProof } from '../../src/ledger/tlog-proof.ts';
import { verifyExport } from '../../src/ledger/verify-export.ts';
import { exitCodeOf, verifyDatabase } from '../../src/ledger/verify-ledger.ts';
import { latestSeq } from '../../src/store/ledger.ts';
import { call, expectProblem, keyFor } from '../support/http.ts';
import { brokenAdd, calculator, fixedAdd, temporaryFolder, type TestRepository } from '../support/repository.ts';
import { tool } from '../cli/tool.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let repository: TestRepository;
let mission: MissionDetail;
let proof: MissionExport;
let key: Verifier;
let admin: string;

beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  admin = await keyFor(system, 'root', 'admin');
  repository = system.repository(calculator);
  const sent = await system.send(repository, [repository.diff(brokenAdd), repository.diff(fixedAdd)], { trust_requirements: {} });
  await system.decide(await system.approval(sent.mission_id));
  mission = await system.whenEnded(sent.mission_id);
  await system.until(async () => (await system.reader.get<{ unsealed: number }>('/mission-control/ledger/checkpoint')).unsealed === 0);
  proof = await system.reader.get<MissionExport>(`/mission-control/missions/${mission.mission_id}/export`);
  key = parseVkey(await readFile(join(system.home, 'ledger', 'log.vkey'), 'utf8'));
});
afterAll(() => system.stop());

const codes = (file: unknown, keys = [key]): string[] => verifyExport(file, keys, []).problems.map((problem) => problem.code);
const copy = (): MissionExport => structuredClone(proof);

test('the whole ledger of a real mission is in order', async () => {
  const report = await verifyDatabase(system.db.url, [key], []);
  expect(report).toMatchObject({ problems: [], missions: { started: 1, ended: 1 }, landings: [{ commit: mission.landed_commit, tree: mission.landed_tree }] });
});

describe('the export of a mission', () => {
  test('is whole for whoever has the key, and of unknown origin for whoever has not', () => {
    const report = verifyExport(JSON.parse(JSON.stringify(proof)), [key], []);
    expect(report.problems).toEqual([]);
    expect(report.records).toBeGreaterThan(30);
    expect(codes(proof, [])).toEqual(['NO_TRUSTED_KEY']);
  });

  test('says in statements that others read which tree was tested, approved and landed', () => {
    const statements = proof.statements.map(({ payload }) => JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicateType: string; subject: { digest: Record<string, string> }[] });
    const trees = (type: RegExp) => statements.filter((one) => type.test(one.predicateType)).map((one) => one.subject[0]!.digest['gitTree']);
    expect(trees(/test-result\/v0\.1$/)).toEqual([mission.landed_tree]);
    expect(trees(/:approval:/)).toEqual([mission.landed_tree]);
    expect(trees(/:landing:/)).toEqual([mission.landed_tree]);
  });

  test.each([
    ['a word of a payload', (it: MissionExport) => { it.entries.at(-1)!.payload!['reason'] = 'because'; }, 'PAYLOAD_CHANGED'],
    ['a record', (it: MissionExport) => { it.entries[3]!.record.ts = '2020-01-01T00:00:00.000Z'; }, 'NOT_IN_THE_LOG'],
    ['an entry taken out', (it: MissionExport) => { it.entries.splice(5, 1); }, 'MANIFEST_MISMATCH'],
    ['an entry put in twice', (it: MissionExport) => { it.entries.splice(5, 0, it.entries[5]!); }, 'OUT_OF_ORDER'],
    ['a statement taken out', (it: MissionExport) => { it.statements.pop(); }, 'MANIFEST_MISMATCH'],
    ['a statement changed', (it: MissionExport) => { it.statements[0]!.payload = Buffer.from('{}').toString('base64'); }, 'STATEMENT_UNSIGNED'],
    ['the checkpoint', (it: MissionExport) => { it.checkpoint = it.checkpoint.replace(/\n\d+\n/, '\n999999\n'); }, 'SIGNATURE_INVALID'],
    ['the manifest', (it: MissionExport) => { it.manifest.signatures = []; }, 'MANIFEST_UNSIGNED'],
  ])('with another %s is refused', (_, change, code) => {
    const other = copy();
    change(other);
    const { problems } = verifyExport(other, [key], []);
    expect(problems.map((problem) => problem.code)).toContain(code);
    expect(exitCodeOf(problems)).toBe(1);
  });

  test.each([null, {}, [], 'x', { format: 'mission-control.mission/v1' }])('%j is no export', (file) => expect(() => verifyExport(file, [key], [])).toThrow(/not an export/));

  test('names commits that the repository has, with the trees that were proved', async () => {
    const { landings } = verifyExport(proof, [key], []);
    expect(await checkLandings(landings, [repository.path])).toEqual([]);
    const lied = landings.map((landing) => ({ ...landing, tree: '0'.repeat(40) }));
    expect((await checkLandings(lied, [repository.path]))[0]).toMatchObject({ code: 'TREE_DIFFERS', kind: 'integrity' });
    expect((await checkLandings(landings.map((landing) => ({ ...landing, commit: '1'.repeat(40) })), [repository.path]))[0]).toMatchObject({ code: 'COMMIT_MISSING' });
  });
});

describe('over the API', () => {
  test('the checkpoint is signed by the key that it names', async () => {
    const head = await system.reader.get<{ checkpoint: string; size: number; root: string; vkey: string }>('/mission-control/ledger/checkpoint');
    expect(head.vkey).toBe(key.vkey);
    expect(openCheckpoint(head.checkpoint, [key])).toMatchObject({ size: head.size, root: head.root });
  });

  test('every record is proved by its path, and a smaller ledger is the beginning of the larger', async () => {
    const size = await latestSeq(system.db.database.query);
    for (const seq of [1, 2, Math.ceil(size / 2), size]) {
      const one = await system.reader.get<{ record: LedgerRecord; leaf_hash: string; proof: string }>(`/mission-control/ledger/proof/${seq}`);
      expect(recordHash(one.record)).toBe(one.leaf_hash);
      expect(checkProof(one.proof, one.leaf_hash, seq - 1, [key])).toMatchObject({ origin: key.name });
      expect(checkProof(one.proof, one.leaf_hash, seq, [key])).toMatch(/no proof for index/);
    }
    const heads = await system.db.database.query<{ size: number; root: string }>('SELECT size, root FROM ledger_checkpoints ORDER BY size');
    const [old, now] = [heads[Math.floor(heads.length / 2)]!, heads.at(-1)!];
    const { proof } = await system.reader.get<{ proof: string[] }>(`/mission-control/ledger/consistency?from=${old.size}&to=${now.size}`);
    expect(isConsistent(old.size, old.root, now.size, now.root, proof)).toBe(true);
  });

  test.each([
    ['GET', '/ledger/proof/999999', 404, 'RECORD_NOT_FOUND'], ['GET', '/ledger/consistency?from=2&to=1', 422, 'RANGE_INVALID'],
    ['GET', '/ledger/consistency?from=1&to=999999', 422, 'RANGE_INVALID'], ['GET', '/missions/none/export', 404, 'MISSION_NOT_FOUND'],
  ] as const)('%s %s is %i %s', async (method, path, status, code) => {
    expectProblem(await call(system.url, `/mission-control${path}`, { method, key: admin }), status, code);
  });

  test.each([[1, 409, 'NOT_REDACTABLE'], [999_999, 404, 'RECORD_NOT_FOUND']] as const)('record %i cannot be redacted: %i %s', async (seq, status, code) => {
    expectProblem(await call(system.url, '/mission-control/ledger/redactions', { key: admin, json: { seq, reason: 'x' } }), status, code);
  });
});

test('many exports at once leave connections for everybody else, and say so', async () => {
  const all = await Promise.all(Array.from({ length: 6 }, () => call(system.url, `/mission-control/missions/${mission.mission_id}/export`, { key: admin })));
  const refused = all.filter(({ status }) => status === 429);
  expect(all.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(2);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) expectProblem(answer, 429, 'EXPORTS_BUSY');
  expect((await call(system.url, `/mission-control/missions/${mission.mission_id}/export`, { key: admin })).status).toBe(200);
});

describe('missionctl verify', () => {
  const verify = (...args: string[]) => tool(['verify', ...args], { home: system.home, env: { DATABASE_URL: system.db.url } });
  const elsewhere = (...args: string[]) => tool(['verify', ...args], { home: temporaryFolder() });

  test('the database of a data directory, with its key and its published checkpoints: 0', async () => {
    const { code, out } = await verify('--git', repository.path);
    expect(out).toMatch(/signed +up to \d+, by [0-9a-f]{8}\n[^]*1 landings[^]*whole/);
    expect(code).toBe(0);
  });

  test('an export on another machine, with the key alone: 0; without it: 4', async () => {
    const file = join(system.home, 'proof.json');
    const key = await keyFor(system, 'root', 'admin');
    expect(await tool(['mission', 'proof', mission.mission_id, '--out', file], { url: system.url, key })).toMatchObject({ code: 0 });
    expect(await elsewhere(file, '--key', proof.vkey)).toMatchObject({ code: 0, out: expect.stringContaining('whole') as string });
    expect(await elsewhere(file)).toMatchObject({ code: 4, out: expect.stringContaining('NO_TRUSTED_KEY') as string });
    expect((await tool(['mission', 'proof', mission.mission_id, '--out', file], { url: system.url, key })).code).toBe(64);
  });

  test('what cannot be read is said, and is not called whole', async () => {
    expect((await elsewhere()).code).toBe(4);
    expect((await elsewhere('no-such-file')).code).toBe(64);
    expect((await elsewhere('--key', 'nonsense')).code).toBe(64);
    const file = join(system.home, 'nonsense.json');
    await writeFile(file, 'nonsense');
    expect((await elsewhere(file, '--key', proof.vkey)).code).toBe(4);
  });
});

test('a redacted payload is gone from the export, the API and the database, and all of it stays verifiable', async () => {
  const { seq } = proof.entries.find(({ record }) => record.type === 'approval.decided')!.record;
  await call(system.url, '/mission-control/ledger/redactions', { key: admin, json: { seq, reason: 'it named somebody' } });
  const again = await system.reader.get<MissionExport>(`/mission-control/missions/${mission.mission_id}/export`);
  const entry = again.entries.find(({ record }) => record.seq === seq)!;
  expect(entry).toMatchObject({ salt: null, payload: null });
  // The proof of the approval went with it, and the verifier says so instead of passing over it.
  expect(codes(again)).toEqual(['LANDED_UNAPPROVED']);
  const timeline = await system.reader.get<{ items: { type: string; payload: unknown }[] }>(`/mission-control/missions/${mission.mission_id}/timeline`);
  expect(timeline.items.find((item) => item.type === 'approval.decided')?.payload).toEqual({ redacted: true });
});

test('checkpoints leave the database: the file and the ref say what was signed', async () => {
  await system.stopWorker();
  const size = await latestSeq(system.db.database.query);
  const lines = (await readFile(join(system.home, 'ledger', 'checkpoints.jsonl'), 'utf8')).trimEnd().split('\n').map((line) => (JSON.parse(line) as { note: string }).note);
  expect(openCheckpoint(lines.at(-1)!, [key])?.size).toBe(size);
  const note = await system.git.text(['cat-file', 'blob', 'refs/mission-control/checkpoints:checkpoint'], { gitDir: join(system.home, 'ledger', 'checkpoints.git') });
  expect(openCheckpoint(`${note}\n`, [key])?.size).toBe(size);
  const file = join(system.home, 'pin');
  await writeFile(file, lines.at(-1)!);
  expect(verifyExport(proof, [key], [{ where: file, note: lines.at(-1)! }]).problems.map((problem) => problem.code)).toEqual(['BEHIND_PIN']);
});

test('one flipped byte: 1 and the seq; the last rows gone: 3', async () => {
  const verify = () => tool(['verify'], { home: system.home, env: { DATABASE_URL: system.db.url } });
  const superuser = async (...statements: string[]): Promise<void> => {
    await system.db.database.transaction(async (query) => {
      await query('SET LOCAL session_replication_role = replica');
      for (const statement of statements) await query(statement);
    });
  };
  const eventOf = (seq: number): string => `(SELECT event_id FROM ledger WHERE seq = ${seq})`;
  const [was] = await system.db.database.query<{ idempotency_key: string }>(`SELECT idempotency_key FROM events WHERE event_id = ${eventOf(12)}`);
  await superuser(`UPDATE events SET idempotency_key = 'X' || substr(idempotency_key, 2) WHERE event_id = ${eventOf(12)}`);
  const flipped = await verify();
  expect(flipped.out).toMatch(/RECORD_CHANGED {2}seq 12\n/);
  expect(flipped.code, flipped.out).toBe(1);
  await superuser(`UPDATE events SET idempotency_key = '${was!.idempotency_key}' WHERE event_id = ${eventOf(12)}`);
  expect((await verify()).out).not.toContain('RECORD_CHANGED');
  // Where the first batch ended, so that nothing looks wrong in what is left but that there was more once.
  const [{ size }] = await system.db.database.query<{ size: number }>('SELECT size FROM ledger_checkpoints ORDER BY size LIMIT 1') as [{ size: number }];
  await superuser(`DELETE FROM ledger_checkpoints WHERE size > ${size}`, `DELETE FROM ledger WHERE seq > ${size}`);
  const cut = await verify();
  expect(cut.out).toContain(`TRUNCATED  seq ${size + 1}`);
  expect(cut.code, cut.out).toBe(3);
});
