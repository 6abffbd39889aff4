import { expect, test } from 'vitest';
import { blockersOf, locksOn, pinsOf, rolesOf, type HeldLock, type LockHolder, type LockRole } from '../../src/domain/sqlite.ts';

const file = { major: 0xfe, minor: 1, inode: '42' };

test('only locks that are held, on this very file, are taken from the kernel', () => {
  const table = [
    '1: POSIX  ADVISORY  WRITE 100 fe:01:42 1073741825 1073741825',
    '1: -> POSIX  ADVISORY  WRITE 101 fe:01:42 1073741825 1073741825',
    '2: FLOCK  ADVISORY  WRITE 102 fe:01:42 0 EOF',
    '3: OFDLCK ADVISORY  READ  -1 fe:01:42 1073741826 1073742335',
    '4: POSIX  ADVISORY  WRITE 103 fe:02:42 1073741825 1073741825',
    '5: POSIX  ADVISORY  WRITE 104 fe:01:421 1073741825 1073741825',
    '6: POSIX  ADVISORY  WRITE 105 fe:01:42 0 EOF', '', 'nonsense',
  ].join('\n');
  expect(locksOn(table, file)).toEqual([
    { pid: 100, mode: 'WRITE', from: 1073741825, to: 1073741825 },
    { pid: -1, mode: 'READ', from: 1073741826, to: 1073742335 },
    { pid: 105, mode: 'WRITE', from: 0, to: Number.MAX_SAFE_INTEGER },
  ]);
});

const lock = (mode: HeldLock['mode'], from: number, to = from): HeldLock => ({ pid: 1, mode, from, to });
test.each<['database' | 'shm', HeldLock, LockRole[]]>([
  ['database', lock('WRITE', 1073741825), ['reserved']],
  ['database', lock('WRITE', 1073741824), ['pending']],
  // The kernel shows neighbouring ranges of one process as one.
  ['database', lock('WRITE', 1073741824, 1073742335), ['pending', 'reserved', 'exclusive']],
  ['database', lock('WRITE', 1073741824, 1073741825), ['pending', 'reserved']],
  ['database', lock('READ', 1073741826, 1073742335), ['shared']],
  ['database', lock('WRITE', 0, 100), []],
  ['shm', lock('WRITE', 120), ['wal_writer']],
  ['shm', lock('WRITE', 121), ['wal_checkpointer']],
  ['shm', lock('WRITE', 120, 122), ['wal_writer', 'wal_checkpointer', 'wal_recovery']],
  ['shm', lock('READ', 124), ['wal_reader']],
  ['shm', lock('READ', 128), []],
])('on the %s, %o means %o', (where, held, roles) => expect(rolesOf(where, held)).toEqual(roles));

const holder = (pid: number, ...roles: LockRole[]): LockHolder => ({ pid, started: '1', executable: 'app', argv: [], roles });
test.each<[string, LockHolder[], number[], number[]]>([
  ['a writer blocks, a reader beside it does not', [holder(1, 'reserved', 'shared'), holder(2, 'shared')], [1], []],
  ['a writer that waits for readers is not the cause', [holder(1, 'pending', 'reserved', 'shared'), holder(2, 'shared')], [2], []],
  ['one that waits for nobody to be seen is', [holder(1, 'pending', 'reserved')], [1], []],
  ['one that writes its pages blocks', [holder(1, 'pending', 'reserved', 'exclusive'), holder(2, 'shared')], [1], []],
  ['in a WAL, openers block nobody and readers pin', [holder(1, 'shared', 'wal_writer'), holder(2, 'shared', 'wal_reader'), holder(3, 'shared')], [1], [2]],
  ['a checkpointer blocks no writer', [holder(1, 'wal_checkpointer', 'shared')], [], []],
])('%s', (_name, holders, blockers, pins) => {
  expect(blockersOf(holders).map(({ pid }) => pid)).toEqual(blockers);
  expect(pinsOf(holders).map(({ pid }) => pid)).toEqual(pins);
});
