/** Whoever hands us an export, a checkpoint or a ledger may have written it to hurt: it is judged, never obeyed, and never called whole. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noSubject } from '../../src/domain/event.ts';
import { judgeLives } from '../../src/ledger/grammar.ts';
import { exportMission, type MissionExport } from '../../src/ledger/mission-export.ts';
import { checkpointText, sealNote } from '../../src/ledger/note.ts';
import { exitCodeOf, verifyDatabase, verifyRuns } from '../../src/ledger/verify-ledger.ts';
import { tool, type Ended } from '../cli/tool.ts';
import { newSigner, openLedger, type TestLedger } from '../support/ledger.ts';
import { temporaryFolder } from '../support/repository.ts';

let ledger: TestLedger;
let proof: MissionExport;
const mission_id = 'mission_20260101_001';
const folder = temporaryFolder();

beforeAll(async () => {
  ledger = await openLedger();
  const sealer = ledger.start();
  await ledger.write(1, { type: 'mission.created', subject: { ...noSubject, mission_id } });
  await ledger.write(1, { type: 'mission.status_changed', subject: { ...noSubject, mission_id }, payload: { status: 'resolved' } });
  await ledger.whenSealed(3);
  await sealer.stop();
  proof = (await ledger.db.database.transaction((query) => exportMission(query, mission_id, ledger.signer)))!;
});
afterAll(() => ledger.close());

const escape = '\u001b]0;owned\u0007\u001b[2J';
/** Our own words end lines, and use no other control character. */
const unsafe = /(?!\n)\p{Cc}/u;

let files = 0;
async function verify(file: unknown, ...more: string[]): Promise<Ended> {
  const path = join(folder, `${files += 1}.json`);
  await writeFile(path, typeof file === 'string' ? file : JSON.stringify(file));
  return tool(['verify', path, '--key', proof.vkey, ...more], { home: folder });
}

test('the export that the others are made of is whole', async () => expect(await verify(proof)).toMatchObject({ code: 0 }));

interface Loose extends Record<string, unknown> { entries: ({ record: Record<string, unknown>; payload: unknown } | null)[] }
const changed = (change: (it: Loose) => void): string => {
  const other = structuredClone(proof) as unknown as Loose;
  change(other);
  return JSON.stringify(other).replace('"DEEP"', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`);
};
const withEscapes = (it: Loose): void => { it.entries[1]!.record['type'] = escape; };

test.each([
  ['a seq that is an escape sequence', (it: Loose) => { it.entries[1]!.record['seq'] = escape; }],
  ['a digest that is a number', (it: Loose) => { it.entries[1]!.record['payload_digest'] = 5; }],
  ['a type that is an escape sequence', withEscapes],
  ['a mission that is an escape sequence', (it: Loose) => { it['mission_id'] = escape; }],
  ['no entry where one should be', (it: Loose) => { it.entries[1] = null; }],
  ['no manifest', (it: Loose) => { it['manifest'] = null; }],
  ['statements that are no list', (it: Loose) => { it['statements'] = { length: 0 }; }],
  ['a payload of 100,000 levels', (it: Loose) => { it.entries[1]!.payload = 'DEEP'; }],
])('an export with %s is refused in harmless words', async (_, change) => {
  const { code, out, err } = await verify(changed(change));
  expect([1, 4]).toContain(code);
  expect(`${out}${err}`).not.toMatch(unsafe);
  expect(err).not.toMatch(/mistake of missionctl|\n +at /);
  expect(out).not.toMatch(/^whole$/m);
});

test('nor does --json hand an escape sequence on', async () => {
  const { code, out } = await verify(changed(withEscapes), '--json');
  expect(code).toBe(1);
  expect(out).not.toMatch(unsafe);
});

test('a checkpoint that no trusted key signed accuses nobody: it proves nothing', async () => {
  const { log_id } = proof;
  const [longer, other] = [{ origin: log_id, size: 999, root: '0'.repeat(64) }, { origin: log_id, size: 2, root: '0'.repeat(64) }]
    .map((head) => ({ where: 'a letter', note: sealNote(checkpointText(head), newSigner(log_id)) }));
  const { problems } = await verifyDatabase(ledger.db.url, [ledger.signer], [longer!, other!, { where: 'a letter', note: 'nonsense' }]);
  expect(problems.map(({ code }) => code)).toEqual(['PIN_UNSIGNED', 'PIN_UNSIGNED', 'PIN_UNREADABLE']);
  expect(exitCodeOf(problems)).toBe(4);
});

test('a ledger of years has more checkpoints than a call takes arguments', () => {
  const stored = Array.from({ length: 200_000 }, (_, i) => {
    const head = { origin: 'log', size: i + 1, root: '0'.repeat(64) };
    return { ...head, note: checkpointText(head) };
  });
  expect(verifyRuns([], stored, [], []).problems.map(({ code }) => code)).toEqual(['TRUNCATED', 'NO_TRUSTED_KEY']);
});

test('an approval whose terms nobody can read approves nothing', () => {
  const about = { mission_id, actor_id: 'bob' };
  for (const asked of [{ required: 'two', not_by: [] }, { required: 1, not_by: 'nobody' }, { required: 1, not_by: 7 }, { not_by: [] }]) {
    const { problems } = judgeLives([
      { ...about, seq: 1, type: 'approval.requested', payload: { approval_id: 'a1', ...asked } },
      { ...about, seq: 2, type: 'approval.decided', payload: { approval_id: 'a1', status: 'approved' } },
    ]);
    expect(problems.map(({ code }) => code), JSON.stringify(asked)).toEqual(['TERMS_UNREADABLE', 'DECIDED_UNASKED']);
  }
});
