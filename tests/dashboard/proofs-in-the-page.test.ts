/** The page's own verifier against the server's, on the same proofs of a real ledger. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noSubject } from '../../src/domain/event.ts';
import { canonical as serverCanonical } from '../../src/ledger/canonical.ts';
import { exportMission, type MissionExport } from '../../src/ledger/mission-export.ts';
import { parseVkey } from '../../src/ledger/note.ts';
import { consistencyProof } from '../../src/ledger/nodes.ts';
import { recordHash, recordText } from '../../src/ledger/record.ts';
import { checkProof } from '../../src/ledger/tlog-proof.ts';
import { verifyExport as serverVerifyExport } from '../../src/ledger/verify-export.ts';
import { latestCheckpoint, provedRecord } from '../../src/store/ledger.ts';
import { readVkey, verifyNote } from '../../src/dashboard/pages/ledger/note.ts';
import { canonical, leafHash } from '../../src/dashboard/pages/ledger/tree.ts';
import { verifyCheckpoint, verifyExport, verifyRecord, worstOf, type Exported } from '../../src/dashboard/pages/ledger/verify.ts';
import { newSigner, openLedger, type TestLedger } from '../support/ledger.ts';

const mission = 'mission_20260101_001';
const records = 23;
let ledger: TestLedger;
let heads: string[];
beforeAll(async () => {
  ledger = await openLedger();
  ledger.start();
  const head = async (): Promise<string> => (await latestCheckpoint(ledger.query))!.note;
  await ledger.write(records - 4, { payload: { text: 'ö € \u2028 "\\', list: [1, 2.5, null, true], deep: { b: 1, a: { '': 0 } } } });
  await ledger.whenSealed(records - 3);
  heads = [await head()];
  await ledger.write(3, { type: 'mission.paused', subject: { ...noSubject, mission_id: mission } });
  await ledger.whenSealed(records);
  heads.push(await head());
});
afterAll(() => ledger.close());

const proved = async (seq: number) => (await provedRecord(ledger.query, seq))!;
const before = (seq: number) => (seq === 1 ? Promise.resolve(null) : proved(seq - 1));
const keys = () => [parseVkey(ledger.signer.vkey)];

test('the same bytes and hashes for every record, and every proof holds in both', async () => {
  for (let seq = 1; seq <= records; seq += 1) {
    const one = await proved(seq);
    expect(canonical(one.record)).toBe(recordText(one.record));
    expect(canonical(one)).toBe(serverCanonical(one));
    expect(await leafHash(canonical(one.record))).toBe(recordHash(one.record));
    expect(checkProof(one.proof, one.leaf_hash, seq - 1, keys())).toMatchObject({ origin: ledger.signer.name });
    expect(await verifyRecord(one, ledger.signer.vkey, await before(seq)), `record ${seq}`).toMatchObject(Array.from({ length: 4 }, () => ({ verdict: 'holds' })));
  }
});

const swapped = (text: string, at: number): string => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

describe('tampered with, neither takes it', () => {
  test('every line of a proof', async () => {
    const one = await proved(14);
    const lines = one.proof.split('\n');
    for (const [i, line] of lines.entries()) {
      if (line === '') continue;
      const proof = lines.with(i, swapped(line, Math.min(10, line.length - 1))).join('\n');
      expect(typeof checkProof(proof, one.leaf_hash, 13, keys()), line).toBe('string');
      expect(worstOf(await verifyRecord({ ...one, proof }, ledger.signer.vkey, await before(14))), line).toBe('broken');
    }
  });

  test('the record, its place, and the record before it', async () => {
    const one = await proved(9);
    const [previous, stranger] = [await proved(8), await proved(7)];
    const verdicts = async (record: object, follows = previous) =>
      Object.fromEntries((await verifyRecord({ ...one, record: { ...one.record, ...record } }, ledger.signer.vkey, follows)).map(({ what, verdict }) => [what, verdict]));
    expect(await verdicts({ type: 'mission.resumed' })).toMatchObject({ 'Hash of the record': 'broken', 'Path to the root': 'broken', 'Signature of the checkpoint': 'holds' });
    expect(await verdicts({ seq: 10 })).toMatchObject({ 'Path to the root': 'broken' });
    expect(await verdicts({}, stranger)).toEqual({ 'Hash of the record': 'holds', 'Path to the root': 'holds', 'Signature of the checkpoint': 'holds', Chain: 'broken' });
  });

  test('another key, or none', async () => {
    const [one, other] = [await proved(3), newSigner(ledger.signer.name)];
    expect(await verifyNote(one.checkpoint, (await readVkey(other.vkey))!)).toBe('broken');
    expect(worstOf(await verifyRecord(one, other.vkey, await before(3)))).toBe('broken');
    for (const vkey of ['', 'x', ledger.signer.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+')]) {
      expect(worstOf(await verifyRecord(one, vkey, await before(3)))).toBe('broken');
    }
  });
});

test('a checkpoint only ever grows from the one that was seen before', async () => {
  const [old, now] = heads as [string, string];
  const verdict = async (note: string, seen: string | null, proof = (from: number, to: number) => consistencyProof(ledger.query, from, to)) =>
    worstOf(await verifyCheckpoint(note, ledger.signer.vkey, seen, proof));
  expect(await verdict(now, null)).toBe('holds');
  expect(await verdict(now, old)).toBe('holds');
  expect(await verdict(now, now)).toBe('holds');
  expect(await verifyCheckpoint(old, ledger.signer.vkey, now, async () => []), 'shrunk').toMatchObject([{ verdict: 'holds' }, { verdict: 'broken', detail: expect.stringContaining('shrank') as string }]);
  expect(await verdict(now, old, async () => []), 'no proof').toBe('broken');
  const [origin, size, root, ...rest] = old.split('\n') as [string, string, string, ...string[]];
  expect(await verdict(now, [origin, size, swapped(root, 3), ...rest].join('\n')), 'another past').toBe('broken');
  expect(await verdict(now, [`${origin}x`, size, root, ...rest].join('\n')), 'another log').toBe('broken');
});

describe('the export of a mission', () => {
  const exported = async (): Promise<MissionExport> => (await ledger.db.database.transaction((query) => exportMission(query, mission, ledger.signer)))!;
  const integrity = (file: MissionExport): string[] =>
    serverVerifyExport(file, keys(), []).problems.filter(({ kind }) => kind === 'integrity').map(({ code }) => code);
  const inPage = async (file: MissionExport): Promise<string[]> =>
    (await verifyExport(file as unknown as Exported, ledger.signer.vkey)).filter(({ verdict }) => verdict !== 'holds').map(({ what }) => what);

  test('holds in both', async () => {
    const file = await exported();
    expect(file.entries).toHaveLength(4);
    expect(integrity(file)).toEqual([]);
    expect(await inPage(file)).toEqual([]);
  });

  test.each<[string, (file: MissionExport) => void, string[]]>([
    ['a payload', (file) => { file.entries[1]!.payload = { number: 99 }; }, ['Payloads', 'Nothing left out']],
    ['a record', (file) => { file.entries[1]!.record.ts = '2020-01-01T00:00:00.000Z'; }, ['Records', 'Nothing left out']],
    ['one left out', (file) => { file.entries.pop(); }, ['Nothing left out']],
    ['a foreign mission', (file) => { file.mission_id = 'mission_20260101_002'; }, ['Records']],
    ['the manifest', (file) => { file.manifest.payload = swapped(file.manifest.payload, 9); }, ['Nothing left out']],
    ['the checkpoint', (file) => { file.checkpoint = file.checkpoint.replace(/^(.*)\n\d+\n/, '$1\n1\n'); }, ['Records', 'Signature of the checkpoint', 'Nothing left out']],
  ])('changed in %s is taken by neither', async (_, change, found) => {
    const file = await exported();
    change(file);
    expect(integrity(file).length).toBeGreaterThan(0);
    expect(await inPage(file)).toEqual(found);
  });
});
