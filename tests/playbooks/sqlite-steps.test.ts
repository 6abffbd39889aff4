import { expect, test } from 'vitest';
import type { PlannedStep } from '../../src/domain/healing.ts';
import { sqliteSteps as corruptionSteps, type SqliteCorruptionFacts } from '../../src/workflows/playbooks/database-corruption/sqlite.ts';
import { databaseCorruption } from '../../src/workflows/playbooks/database-corruption.ts';
import { sqliteSteps as lockedSteps, type SqliteLockedFacts } from '../../src/workflows/playbooks/database-locked/sqlite.ts';
import { databaseLocked } from '../../src/workflows/playbooks/database-locked.ts';

const lockedParams = databaseLocked.params.parse({}) as Parameters<typeof lockedSteps>[0]['params'];
const holder = (pid: number, listed: boolean) => ({ pid, started: `${pid}0`, executable: '/usr/bin/app', argv: ['/usr/bin/app'], roles: ['reserved'], listed });
const locked: SqliteLockedFacts = {
  kind: 'sqlite', path: '/data/shop.db', write: { ok: false, latency_ms: 9, error: 'SQLITE_BUSY', message: null }, wal_bytes: 0,
  holders: [holder(7, true)], class: 'ok', rows: { orders: 5 },
};

test.each<[string, Partial<SqliteLockedFacts>, Partial<typeof lockedParams>, string[]]>([
  ['a listed holder', {}, {}, ['wait', 'terminate_7']],
  ['a WAL beside it', { wal_bytes: 5 }, {}, ['wait', 'terminate_7', 'checkpoint']],
  ['two holders', { holders: [holder(7, true), holder(8, true)] }, {}, ['wait', 'terminate_7', 'terminate_8']],
  ['a way to ask', {}, { sqlite_release_url: 'http://app/release' }, ['wait', 'ask_7', 'terminate_7']],
  ['a way to ask one that is not listed', { holders: [holder(7, false)] }, { sqlite_ask_signal: 'SIGUSR2' }, ['wait', 'ask_7']],
  ['a WAL that nobody pins', { holders: [], wal_bytes: 5 }, {}, ['checkpoint']],
])('what is done about a lock: %s', (_name, facts, params, ids) => {
  const steps = lockedSteps({ facts: { ...locked, ...facts }, params: { ...lockedParams, ...params } });
  expect(steps.map(({ id }) => id)).toEqual(ids);
  // Every rung waits for the one before, and none of them costs a row.
  for (const step of steps.filter(({ id }) => id !== 'checkpoint')) expect(step).toMatchObject({ run: 'while_symptom', on_failure: 'next', data_loss: 0 });
});

test('who is ended is named by pid, start time and program', () => {
  expect(lockedSteps({ facts: locked, params: lockedParams })[1]!.with).toEqual({
    path: '/data/shop.db', pid: 7, started: '70', executable: '/usr/bin/app', argv: ['/usr/bin/app'], deadline_seconds: 10,
  });
});

const backup = {
  path: '/backups/monday.db', sha256: 'a'.repeat(64), size_bytes: 9, modified_at: '2026-01-01T00:00:00.000Z', class: 'ok' as const,
  foreign_key_violations: 0, rows: { orders: 4 }, error: null,
};
const damaged = (repair: SqliteCorruptionFacts['repair'], unfit: SqliteCorruptionFacts['unfit'] = []): SqliteCorruptionFacts => ({
  kind: 'sqlite', path: '/data/shop.db', identity: { device: '1', inode: '2' }, stamp: '2-3', repair, unfit,
  damage: {
    error: null, messages: [], foreign_key_violations: 0, tables: [], index_roots: [], wrong_indexes: ['a', 'b'], class: 'damaged', size_bytes: 9, checked: 'in_place',
  },
});
const stepsFor = (facts: SqliteCorruptionFacts, writers: string[] = ['app', 'jobs']): PlannedStep[] => corruptionSteps({ facts, resource: { writers } });

test.each<[SqliteCorruptionFacts['repair'], string[], number]>([
  [{ way: 'reindex', data_loss: 0 }, ['reindex'], 0],
  [{ way: 'reindex', data_loss: 3 }, ['reindex'], 3],
  [{ way: 'rebuild', data_loss: 2 }, ['rebuild'], 2],
  [{ way: 'restore', backup, data_loss: 40 }, ['restore'], 40],
  [{ way: 'salvage' }, ['salvage', 'hand_over'], 0],
])('writers stop first and come back however it ends, evidence comes before %o', (repair, ids, loss) => {
  const steps = stepsFor(damaged(repair));
  expect(steps.map(({ id }) => id)).toEqual(['stop_app', 'stop_jobs', 'copy_evidence', ...ids, 'start_app', 'start_jobs']);
  expect(steps.map(({ compensate }) => compensate?.action ?? null)).toEqual([
    'service.start', 'service.start', null, ...ids.map((id) => (id === 'rebuild' || id === 'restore' ? 'sqlite.put_back' : null)), 'service.stop', 'service.stop',
  ]);
  expect(steps.reduce((sum, { data_loss }) => sum + data_loss, 0)).toBe(loss);
  expect(new Set(steps.map(({ id }) => id)).size).toBe(steps.length);
});

test('what takes whose place, and where the old file goes, is said in full', () => {
  const [, restore] = stepsFor(damaged({ way: 'restore', backup, data_loss: 40 }), []);
  expect(restore).toMatchObject({
    with: { backup: '/backups/monday.db', sha256: backup.sha256, side: '/data/shop.db.side-2-3', quarantine: '/data/shop.db.quarantined-2-3', rows: { orders: 4 } },
    compensate: { with: { quarantine: '/data/shop.db.quarantined-2-3', withdrawn: '/data/shop.db.withdrawn-2-3' } },
    effect: expect.stringMatching(/monday\.db of 2026-01-01.*quarantined-2-3; at least 40 rows or changes since then are lost/) as string,
  });
});

test('a person who is handed the rest reads why no backup was good', () => {
  const steps = stepsFor(damaged({ way: 'salvage' }, [{ path: '/backups/monday.db', reason: 'fails its integrity check' }]), []);
  expect(steps.at(-1)!.with).toEqual({
    code: 'NO_GOOD_BACKUP', reason: expect.stringContaining('/backups/monday.db fails its integrity check. What can still be read is in /data/shop.db.salvaged-2-3') as string,
  });
});

test('both know their parameters, and no others', () => {
  expect(databaseCorruption.params.safeParse({ sqlite_backup_min_ratio: 0.9 }).success).toBe(true);
  for (const bad of [{ sqlite_backup_min_ratio: 2 }, { nonsense: 1 }]) expect(databaseCorruption.params.safeParse(bad).success).toBe(false);
  for (const bad of [{ sqlite_ask_signal: 'SIGKILL' }, { sqlite_release_url: 'file:///etc/passwd' }, { sqlite_wait_seconds: -1 }]) {
    expect(databaseLocked.params.safeParse(bad).success).toBe(false);
  }
});
