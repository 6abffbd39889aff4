/** F9: whoever can write to the database as a superuser cannot change what was sealed without being found. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openFrontier } from '../../src/ledger/merkle.ts';
import { checkpointText, sealNote } from '../../src/ledger/note.ts';
import { recordHash, recordOf, type Sealable } from '../../src/ledger/record.ts';
import { exitCodeOf, verifyDatabase, type Pin, type Report } from '../../src/ledger/verify-ledger.ts';
import { connectLedger, entriesBetween } from '../../src/ledger/database-source.ts';
import type { Entry } from '../../src/ledger/entries.ts';
import { noSubject } from '../../src/domain/event.ts';
import { redactPayload } from '../../src/store/ledger.ts';
import { newSigner, openLedger, type TestLedger } from '../support/ledger.ts';

let ledger: TestLedger;
let pins: Pin[];
beforeEach(async () => {
  ledger = await openLedger();
  const sealer = ledger.start();
  for (const size of [10, 20]) {
    await ledger.write(size === 10 ? 9 : 10);
    await ledger.whenSealed(size);
  }
  await sealer.stop();
  pins = ledger.published.map((note) => ({ where: 'the published file', note }));
});
afterEach(() => ledger.close());

const verify = (given: Pin[] = pins): Promise<Report> => verifyDatabase(ledger.db.url, [ledger.signer], given);
const first = ({ problems }: Report) => problems.map(({ code, seq }) => [code, seq])[0];

test('an untouched ledger is whole', async () => {
  const report = await verify();
  expect(report).toMatchObject({ problems: [], records: 20, signed_size: 20, log_id: 'mission-control/test', redacted: 0, waiting: 0 });
  expect(exitCodeOf(report.problems)).toBe(0);
});

const event = (seq: number): string => `(SELECT event_id FROM ledger WHERE seq = ${seq})`;

describe('changed: exit 1, with the seq', () => {
  test.each([
    ['one byte of an event', [`UPDATE events SET idempotency_key = idempotency_key || 'x' WHERE event_id = ${event(7)}`], 'RECORD_CHANGED', 7],
    ['its time by a millisecond', [`UPDATE events SET ts = ts + interval '1 millisecond' WHERE event_id = ${event(7)}`], 'RECORD_CHANGED', 7],
    ['who did it', [`UPDATE events SET actor = jsonb_set(actor, '{id}', '"somebody"') WHERE event_id = ${event(7)}`], 'RECORD_CHANGED', 7],
    ['what it points at', [`UPDATE events SET links = '["git:0"]' WHERE event_id = ${event(7)}`], 'RECORD_CHANGED', 7],
    ['its payload', [`UPDATE event_payloads SET payload = '{"number": 99}' WHERE event_id = ${event(7)}`], 'PAYLOAD_CHANGED', 7],
    ['its payload and its digest', [
      `UPDATE event_payloads SET payload = '{"number": 99}' WHERE event_id = ${event(7)}`,
      `UPDATE events SET payload_digest = repeat('0', 64) WHERE event_id = ${event(7)}`], 'RECORD_CHANGED', 7],
    ['a leaf hash', [`UPDATE ledger SET leaf_hash = repeat('0', 64) WHERE seq = 7`], 'RECORD_CHANGED', 7],
    ['a record taken out', [`DELETE FROM ledger WHERE seq = 7`], 'SEQ_GAP', 7],
    ['a record taken out and the rest moved up', ['ALTER TABLE ledger DROP CONSTRAINT ledger_seq_check', `DELETE FROM ledger WHERE seq = 7`, `UPDATE ledger SET seq = -seq WHERE seq > 7`, `UPDATE ledger SET seq = -seq - 1 WHERE seq < 0`], 'CHAIN_BROKEN', 7],
    ['an event taken out', [`DELETE FROM event_payloads WHERE event_id = ${event(7)}`, `DELETE FROM events WHERE event_id = ${event(7)}`], 'EVENT_MISSING', 7],
    ['a payload taken out without a word', [`UPDATE event_payloads SET payload = NULL, salt = NULL WHERE event_id = ${event(7)}`], 'PAYLOAD_MISSING', 7],
    ['two records swapped', [`DO $$ DECLARE a uuid := ${event(7)}; b uuid := ${event(8)}; BEGIN
      UPDATE ledger SET event_id = gen_random_uuid() WHERE seq = 8; UPDATE ledger SET event_id = b WHERE seq = 7; UPDATE ledger SET event_id = a WHERE seq = 8; END $$`], 'RECORD_CHANGED', 7],
    ['a checkpoint', [`UPDATE ledger_checkpoints SET root = repeat('0', 64) WHERE size = 20`], 'CHECKPOINT_CHANGED', 20],
    ['the newest checkpoints taken out', [`DELETE FROM ledger_checkpoints WHERE size > 10`], 'UNSIGNED_TAIL', 11],
    ['every checkpoint taken out', [`DELETE FROM ledger_checkpoints`], 'NO_CHECKPOINT', 1],
  ] as const)('%s', async (_, statements, code, seq) => {
    await ledger.tamper(...statements);
    const report = await verify();
    expect(report.problems.map((problem) => [problem.code, problem.seq])).toContainEqual([code, seq]);
    expect(Math.min(...report.problems.map((problem) => problem.seq ?? Infinity))).toBe(seq);
    expect(exitCodeOf(report.problems)).toBe(1);
  });
});

describe('cut off: exit 3', () => {
  test.each([
    ['the last records', ['DELETE FROM ledger WHERE seq > 15']],
    ['the last records with their checkpoints', ['DELETE FROM ledger WHERE seq > 10', 'DELETE FROM ledger_checkpoints WHERE size > 10']],
    ['the last records with everything that told of them', [
      'DELETE FROM event_payloads WHERE event_id IN (SELECT event_id FROM ledger WHERE seq > 10)', 'DELETE FROM events WHERE event_id IN (SELECT event_id FROM ledger WHERE seq > 10)',
      'DELETE FROM ledger WHERE seq > 10', 'DELETE FROM ledger_checkpoints WHERE size > 10']],
    ['the last events', ['DELETE FROM events WHERE event_id IN (SELECT event_id FROM ledger WHERE seq > 18)']],
  ] as const)('%s', async (_, statements) => {
    await ledger.tamper(...statements);
    const { problems } = await verify();
    expect(problems.map((problem) => problem.code)).toContain('TRUNCATED');
    expect(exitCodeOf(problems)).toBe(3);
  });

  test('and nobody notices from the inside alone: that is what the published checkpoints are for', async () => {
    await ledger.tamper('DELETE FROM event_payloads WHERE event_id IN (SELECT event_id FROM ledger WHERE seq > 10)', 'DELETE FROM events WHERE event_id IN (SELECT event_id FROM ledger WHERE seq > 10)',
      'DELETE FROM ledger WHERE seq > 10', 'DELETE FROM ledger_checkpoints WHERE size > 10');
    expect((await verify([])).problems).toEqual([]);
  });
});

/** Everything from `seq` on written anew, chained and hashed as it should be, and signed with whatever key is at hand. */
async function rewriteFrom(seq: number, signer = newSigner()): Promise<void> {
  const client = await connectLedger(ledger.db.url);
  const entries: Entry[] = [];
  for await (const page of entriesBetween(client, 1, 20)) entries.push(...page);
  await client.end();
  const tree = openFrontier();
  let prev = '0'.repeat(64);
  const statements: string[] = [`UPDATE events SET type = 'capa.opened' WHERE event_id = ${event(seq)}`];
  for (const entry of entries) {
    const changed: Sealable = entry.seq === seq ? { ...entry.event!, type: 'capa.opened' } : entry.event!;
    const leaf = recordHash(recordOf(changed, { log_id: 'mission-control/test', seq: entry.seq, prev }));
    statements.push(`UPDATE ledger SET prev = '${prev}', leaf_hash = '${leaf}' WHERE seq = ${entry.seq}`);
    prev = leaf;
    tree.append(leaf);
    const note = sealNote(checkpointText({ origin: 'mission-control/test', size: tree.size, root: tree.root() }), signer);
    statements.push(`UPDATE ledger_checkpoints SET root = '${tree.root()}', note = '${note}' WHERE size = ${tree.size} AND size >= ${seq}`);
  }
  await ledger.tamper(...statements);
}

describe('written anew with a stolen database', () => {
  test('without the key the signature tells', async () => {
    await rewriteFrom(15);
    const report = await verify([]);
    expect(report.problems.map((problem) => problem.code)).toEqual(['SIGNATURE_INVALID']);
    expect(exitCodeOf(report.problems)).toBe(1);
  });

  test('with the key, too, the published checkpoints tell, and from where on', async () => {
    await rewriteFrom(15, ledger.signer);
    expect((await verify([])).problems).toEqual([]);
    const report = await verify();
    expect(first(report)).toEqual(['ROOT_MISMATCH', 11]);
    expect(exitCodeOf(report.problems)).toBe(1);
  });
});

test('an event that was hidden from the sealer is missed: exit 2', async () => {
  await ledger.write(1);
  await ledger.tamper('DELETE FROM unsealed');
  const { problems } = await verify();
  expect(problems.map((problem) => problem.code)).toEqual(['NEVER_SEALED']);
  expect(exitCodeOf(problems)).toBe(2);
});

test('without a key that is trusted nothing is proved: exit 4', async () => {
  const { problems } = await verifyDatabase(ledger.db.url, [], pins);
  expect(problems.map((problem) => problem.code)).toEqual(['NO_TRUSTED_KEY']);
  expect(exitCodeOf(problems)).toBe(4);
  expect(exitCodeOf((await verifyDatabase(ledger.db.url, [newSigner()], [])).problems)).toBe(1);
});

test('a payload that was redacted with a word leaves the ledger whole', async () => {
  const admin = { id: 'root', kind: 'person', role: 'admin', key_id: 'k' } as const;
  expect(await redactPayload(ledger.db.database, 7, 'a name of a person', admin)).toBe('redacted');
  expect(await redactPayload(ledger.db.database, 7, 'again', admin)).toBe('gone');
  expect(await redactPayload(ledger.db.database, 1, 'the key', admin)).toBe('kept');
  expect(await redactPayload(ledger.db.database, 999, 'nothing', admin)).toBe('none');
  const sealer = ledger.start();
  await ledger.whenSealed(21);
  await sealer.stop();
  expect(await verify()).toMatchObject({ problems: [], redacted: 1, records: 21 });
});

describe('the grammar of a mission: exit 2', () => {
  const subject = { ...noSubject, mission_id: 'mission_20260101_001' };
  const actor = (id: string) => ({ id, kind: 'person', role: 'operator', key_id: null }) as const;
  const story = {
    created: { type: 'mission.created', actor: actor('ann'), payload: {} },
    tests: { type: 'tests.passed', payload: { tree: 't1', commit: 'c1' } },
    asked: { type: 'approval.requested', payload: { approval_id: 'a1', required: 1, not_by: ['bot'], digests: { git_tree: 't1' } } },
    approved: { type: 'approval.decided', actor: actor('bob'), payload: { approval_id: 'a1', status: 'approved', decision: 'approve', digests: { git_tree: 't1' } } },
    landed: { type: 'merge.landed', payload: { tree: 't1', commit: 'c1' } },
    ended: { type: 'mission.status_changed', payload: { status: 'resolved' } },
  } as const;
  async function tell(...events: (Partial<Parameters<TestLedger['event']>[0]>)[]): Promise<Report> {
    const sealer = ledger.start();
    for (const one of events) await ledger.write(1, { subject, ...one });
    await ledger.whenSealed(20 + events.length);
    await sealer.stop();
    return verify();
  }
  const { created, tests, asked, approved, landed, ended } = story;

  test('a whole life is in order', async () => expect(await tell(created, tests, asked, approved, landed, ended)).toMatchObject({
    problems: [], missions: { ended: 1 }, landings: [{ commit: 'c1', tree: 't1' }],
  }));

  test('who made a mission is known, whatever became of the payload', async () => {
    await tell(created, asked, { ...approved, actor: actor('ann'), payload: { ...approved.payload } });
    await ledger.tamper(`UPDATE event_payloads SET payload = NULL, salt = NULL WHERE event_id = ${event(21)}`);
    expect((await verify()).problems.map(({ code }) => code)).toContain('APPROVED_OWN_WORK');
  });

  test.each([
    ['landed without tests of that tree', [created, asked, approved, landed], 'LANDED_UNTESTED', 24],
    ['landed without an approval', [created, tests, landed], 'LANDED_UNAPPROVED', 23],
    ['landed another tree than was approved', [created, tests, { type: 'tests.passed', payload: { tree: 't2' } }, asked, approved, { type: 'merge.landed', payload: { tree: 't2' } }], 'LANDED_UNAPPROVED', 26],
    ['approved by its creator', [created, asked, { ...approved, actor: actor('ann') }], 'APPROVED_OWN_WORK', 23],
    ['approved by the agent that made it', [created, asked, { ...approved, actor: actor('bot') }], 'APPROVED_OWN_WORK', 23],
    ['approved by one of two', [created, { ...asked, payload: { ...asked.payload, required: 2 } }, approved], 'TOO_FEW_APPROVERS', 23],
    ['decided without having been asked', [created, approved], 'DECIDED_UNASKED', 22],
    ['a stage after the end', [created, ended, { type: 'stage.started', payload: {} }], 'AFTER_THE_END', 23],
    ['reverted what never landed', [created, { type: 'merge.reverted', payload: { reverts: 'c9' } }], 'REVERTED_NOT_LANDED', 22],
    ['an effect without an approval', [created, { type: 'healing.step_started', payload: {} }], 'ACTED_UNAPPROVED', 22],
    ['carried from nothing', [created, { type: 'approval.carried', payload: { from_tree: 'x', to_tree: 'y' } }], 'CARRIED_FROM_NOTHING', 22],
  ] as const)('%s', async (_, events, code, seq) => {
    const report = await tell(...events);
    expect(first(report)).toEqual([code, seq]);
    expect(exitCodeOf(report.problems)).toBe(2);
  });
});
