import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classifyDamage, type DamageState, type Examined } from '../../src/domain/damage.ts';

const of = (kind: Examined['kind'], table: string, state: Examined['state']): Examined =>
  ({ kind, schema: 'public', name: kind === 'table' ? table : `${table}_index`, table, state, reason: null });

test.each<[string, Examined[], number | null, DamageState]>([
  ['nothing was examined', [], 0, 'unknown'],
  ['all of it is well', [of('table', 'a', 'ok'), of('index', 'a', 'ok')], 0, 'ok'],
  ['well, and no checksums are kept', [of('table', 'a', 'ok')], null, 'ok'],
  ['well now, and a page once failed', [of('table', 'a', 'ok')], 1, 'unknown'],
  ['something was not checked', [of('table', 'a', 'ok'), of('index', 'a', 'unchecked')], 0, 'unknown'],
  ['an index of a sound table', [of('index', 'a', 'damaged'), of('table', 'a', 'ok')], 0, 'index_only'],
  ['an index, and a page failed', [of('index', 'a', 'damaged'), of('table', 'a', 'ok')], 3, 'index_only'],
  ['an index, and an unchecked one of another table', [of('index', 'a', 'damaged'), of('table', 'a', 'ok'), of('index', 'b', 'unchecked')], 0, 'index_only'],
  ['an index of a table that was not checked', [of('index', 'a', 'damaged'), of('table', 'a', 'unchecked')], 0, 'unknown'],
  ['an index whose table is not there', [of('index', 'a', 'damaged'), of('table', 'b', 'ok')], 0, 'unknown'],
  ['a table', [of('table', 'a', 'damaged'), of('index', 'a', 'damaged'), of('table', 'b', 'ok')], 0, 'damaged'],
])('%s: %s', (_name, examined, failures, state) => {
  expect(classifyDamage(examined, failures)).toBe(state);
});

const anyExamined = fc.array(fc.record({
  kind: fc.constantFrom('index' as const, 'table' as const), table: fc.constantFrom('a', 'b', 'c'),
  state: fc.constantFrom('ok' as const, 'damaged' as const, 'unchecked' as const),
}).map(({ kind, table, state }) => of(kind, table, state)), { maxLength: 12 });

test('a damaged table is never index_only, and what is not known is never ok', () => {
  fc.assert(fc.property(anyExamined, fc.option(fc.nat(3)), (examined, failures) => {
    const state = classifyDamage(examined, failures);
    if (examined.some((one) => one.kind === 'table' && one.state === 'damaged')) expect(state).toBe('damaged');
    if (state === 'ok') expect(examined.every((one) => one.state === 'ok')).toBe(true);
  }));
});
