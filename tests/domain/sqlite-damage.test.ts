import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classify, faultOf, lossBy, rowsOnlyInIndexes, type BackupReport, type Findings, type IntegrityClass, type TableReport } from '../../src/domain/sqlite.ts';

const table = (rows: number | null, entries: number | null = rows, name = 'orders'): TableReport => ({ name, rows, entries, error: rows === null ? 'CORRUPT' : null });
const findings = (more: Partial<Findings>): Findings =>
  ({ error: null, messages: [], foreign_key_violations: 0, tables: [table(5)], index_roots: [3, 4], wrong_indexes: [], ...more });

test.each<[string, Partial<Findings>, IntegrityClass]>([
  ['nothing is wrong', {}, 'ok'],
  ['entries of an index are wrong', { messages: ['row 7 missing from index i', 'wrong # of entries in index i', 'non-unique entry in index u'] }, 'index_only'],
  ['a page of an index is broken', { error: 'SQLITE_CORRUPT', messages: ['Tree 3 page 21: btreeInitPage() returns error code 11', 'wrong # of entries in index i'] }, 'tables_readable'],
  ['pages below it are orphaned', { messages: ['Tree 3 page 21: btreeInitPage() returns error code 11', 'Page 30: never used'] }, 'tables_readable'],
  ['a page of a table is broken though it can be scanned', { messages: ['Tree 2 page 5 cell 3: Rowid 12 out of order'] }, 'damaged'],
  ['a table cannot be scanned', { messages: ['wrong # of entries in index i'], tables: [table(5), table(null, 9)] }, 'damaged'],
  ['a table cannot be scanned and the check says ok', { tables: [table(null)] }, 'damaged'],
  ['pages are orphaned and nothing tells by what', { messages: ['Page 30: never used'] }, 'damaged'],
  ['the check breaks off without a word', { error: 'SQLITE_CORRUPT' }, 'damaged'],
  ['the check breaks off after index entries only', { error: 'SQLITE_CORRUPT', messages: ['wrong # of entries in index i'] }, 'damaged'],
  ['a line that nobody knows', { messages: ['Freelist: size is 3 but should be 4'] }, 'damaged'],
  ['rows break a constraint', { messages: ['NULL value in orders.note'] }, 'damaged'],
])('%s', (_name, more, expected) => expect(classify(findings(more))).toBe(expected));

test('whatever a check prints beside, it is not ok', () => {
  fc.assert(fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (messages) => {
    expect(classify(findings({ messages }))).toBe('damaged');
  }));
});

const good: BackupReport = { path: '/b/1', sha256: 'x', size_bytes: 1, modified_at: '2026-01-01T00:00:00Z', class: 'ok', foreign_key_violations: 0, rows: { orders: 100 }, error: null };
describe('a backup', () => {
  test.each<[string, Partial<BackupReport>, TableReport[], string | undefined]>([
    ['passes', {}, [table(null, 110)], undefined],
    ['fails its check', { class: 'index_only' }, [table(null, 110)], 'integrity'],
    ['has dangling references', { foreign_key_violations: 2 }, [table(null, 110)], 'missing rows'],
    ['was not checked for them', { foreign_key_violations: null }, [table(null, 110)], 'missing rows'],
    ['lacks a table', { rows: { other: 5 } }, [table(null, 110)], 'no table orders'],
    ['cannot be counted', { rows: { orders: null } }, [table(null, 110)], 'no table orders'],
    ['is nearly empty, as a copy without its WAL is', { rows: { orders: 0 } }, [table(null, 110)], '0 rows in orders, where 110 are known'],
    ['has far fewer rows', { rows: { orders: 50 } }, [table(40, 110)], '50 rows in orders, where 110'],
    ['is empty and nobody knows what was there', { rows: { orders: 0 } }, [], 'no row in orders'],
  ])('%s', (_name, more, damaged, fault) => {
    const found = faultOf({ ...good, ...more }, damaged, ['orders'], 0.5);
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(fault);
  });

  test('without canary tables, every table of the damaged file counts', () => {
    expect(faultOf(good, [table(null, 110), table(3, 3, 'customers')], [], 0.5)).toContain('no table customers');
    expect(faultOf({ ...good, rows: {} }, [], [], 0.5)).toContain('no table');
  });
});

test.each<[string, Record<string, number | null>, TableReport[], number]>([
  ['what indexes still know counts', { orders: 100 }, [table(null, 130)], 30],
  ['nothing can be counted', { orders: 100 }, [table(null, null)], 1],
  ['nothing seems lost', { orders: 100 }, [table(100)], 1],
  ['it is newer than what can be read', { orders: 100 }, [table(90)], 1],
  ['a table it lacks is lost whole', { orders: 100 }, [table(100), table(7, 7, 'customers')], 7],
])('restoring never loses nothing: %s', (_name, rows, damaged, loss) => expect(lossBy({ rows }, damaged)).toBe(loss));

test('rows that only an index knows are a loss', () => {
  expect(rowsOnlyInIndexes([table(5, 8), table(5, 5), table(5, 3), table(null, 9), table(4, null)])).toBe(3);
});
