import { expect, test } from 'vitest';
import {
  canBecome, isMissionId, isTerminal, mayPrecede, missionId, missionStatuses, severities, severityRank, utcDay, type MissionStatus,
} from '../../src/domain/mission.ts';

/** Row: from. Column, in the order of the header: to. `=` is a repeat, `y` a change, `.` never. */
const table = `
              open in_progress observing resolved escalated aborted
  open        =    y           .         .        .         y
  in_progress .    =           y         y        y         y
  observing   .    .           =         y        y         y
  resolved    .    .           .         =        .         .
  escalated   .    .           .         .        =         .
  aborted     .    .           .         .        .         =`;

const [header = [], ...rows] = table.trim().split('\n').map((line) => line.trim().split(/\s+/));
const cells = rows.flatMap(([from, ...marks]) =>
  marks.map((mark, i) => ({ from: from as MissionStatus, to: header[i] as MissionStatus, mark })));

test('the table below names every pair of statuses', () => {
  expect(header).toEqual([...missionStatuses]);
  expect(cells).toHaveLength(missionStatuses.length ** 2);
});

test.each(cells)('$from → $to: $mark', ({ from, to, mark }) => {
  expect(canBecome(from, to)).toBe(mark !== '.');
  expect(mayPrecede(to).includes(from)).toBe(mark !== '.');
});

test('a mission ends resolved, escalated or aborted, and in no other way', () => {
  expect(missionStatuses.filter(isTerminal)).toEqual(['resolved', 'escalated', 'aborted']);
});

test('every status can be reached from open', () => {
  const reached = new Set<MissionStatus>(['open']);
  for (const from of reached) for (const to of missionStatuses) if (canBecome(from, to)) reached.add(to);
  expect([...reached].sort()).toEqual([...missionStatuses].sort());
});

test('critical comes before low', () => {
  expect([...severities].sort((a, b) => severityRank(a) - severityRank(b))).toEqual(['critical', 'high', 'medium', 'low']);
});

test.each([[1, 'mission_20250110_001'], [999, 'mission_20250110_999'], [1_000, 'mission_20250110_1000']])(
  'mission number %i of the day is %s', (number, id) => {
    expect(missionId('20250110', number)).toBe(id);
    expect(isMissionId(id)).toBe(true);
  });

test('the day of an id is the UTC day, whatever the local clock says', () => {
  expect(utcDay(new Date('2025-01-10T23:59:59.999-05:00'))).toBe('20250111');
  expect(utcDay(new Date('2025-01-11T00:30:00+01:00'))).toBe('20250110');
});

test.each(['mission_20250110_01', 'mission_2025011_001', 'Mission_20250110_001', 'mission_20250110_001\n', ' mission_20250110_001', ''])(
  '%j is not a mission id', (text) => expect(isMissionId(text)).toBe(false));
