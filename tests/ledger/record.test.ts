/** Bytes of a record: RFC 8785 whatever is in it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonical, saltedDigest } from '../../src/ledger/canonical.ts';
import { recordOf, recordText, type LedgerRecord } from '../../src/ledger/record.ts';

const words = fc.string({ unit: 'grapheme' });
const maybe = fc.option(words, { nil: null });
const records: fc.Arbitrary<LedgerRecord> = fc.record({
  v: fc.constant(1), log_id: words, seq: fc.integer({ min: 1 }), prev: words, ts: words, type: words,
  actor: fc.record({ id: words, kind: words, role: words, key_id: maybe }),
  subject: fc.record({ mission_id: maybe, workflow_id: maybe, run_id: maybe, stage: maybe, attempt: fc.option(fc.integer(), { nil: null }) }),
  payload_digest: words, payload_type: words, links: fc.array(words), idempotency_key: words,
});

test('a record written key by key is its canonical form', () =>
  fc.assert(fc.property(records, (record) => { expect(recordText(record)).toBe(canonical(record)); })));

test('what a row carries besides stays outside the record', () => {
  const [record] = fc.sample(records, 1);
  expect(recordOf({ ...record!, sealed_at: 'now' } as LedgerRecord, record!)).not.toHaveProperty('sealed_at');
});

describe('RFC 8785', () => {
  test('its example', () => expect(canonical(JSON.parse(
    '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}')))
    .toBe('{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'));

  // Section 3.2.3: by UTF-16 code units.
  test('its order of keys', () => expect(Object.values(JSON.parse(canonical({
    '\u20ac': 'Euro Sign', '\r': 'Carriage Return', '\ufb33': 'Hebrew Letter Dalet With Dagesh', '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face', '\u0080': 'Control', '\u00f6': 'Latin Small Letter O With Diaeresis',
  })) as object)).toEqual(['One', 'Carriage Return', 'Control', 'Latin Small Letter O With Diaeresis', 'Euro Sign', 'Emoji: Grinning Face', 'Hebrew Letter Dalet With Dagesh']));

  // Appendix B: IEEE 754 bits and their text.
  test.each([
    ['0000000000000000', '0'], ['8000000000000000', '0'], ['0000000000000001', '5e-324'], ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'], ['4430000000000000', '295147905179352830000'], ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'], ['444b1ae4d6e2ef4e', '999999999999999700000'], ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'], ['3eb0c6f7a0b5ed8d', '0.000001'], ['41b3de4355555557', '333333333.33333343'],
  ])('the number %s', (bits, text) => expect(canonical(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text));

  test.each([NaN, Infinity])('%s has no form', (value) => expect(() => canonical(value)).toThrow());
});

test('the digest of a payload is of its salt too, and not of the order of its keys', () => {
  expect(saltedDigest('a', { x: 1, y: 2 })).toBe(saltedDigest('a', { y: 2, x: 1 }));
  expect(saltedDigest('a', { x: 1 })).not.toBe(saltedDigest('b', { x: 1 }));
});
