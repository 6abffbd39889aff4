import { expect, test } from 'vitest';
import { trendsOf, type TrendInput } from '../../src/domain/capa-trends.ts';
import type { CapaState } from '../../src/domain/capa.ts';
import { later, now } from './capas.ts';

const record = (more: Partial<TrendInput> = {}, ...moves: [CapaState, CapaState, number][]): TrendInput => ({
  state: moves.at(-1)?.[1] ?? 'OPENED', source: 'escalation', subsystem_id: 'mesh', occurrences: 1, opened_at: later(-100),
  decisions: moves.map(([from, to, minutes]) => ({ from, to, at: later(minutes) })), ...more,
});

test('of nothing nothing is known: shares are null, not 0', () => {
  expect(trendsOf([], now)).toEqual({
    records: 0, open: 0, occurrences: 0, recurrence_rate: null, effectiveness: { effective: 0, ineffective: 0, ineffective_share: null },
    time_in_state: [], by_source: [], by_subsystem: [],
  });
});

test('recurrence, effect and what is open', () => {
  expect(trendsOf([
    record({ occurrences: 3 }), record(),
    record({}, ['EFFECTIVENESS_DUE', 'REOPENED', -50], ['REOPENED', 'INVESTIGATING', -40], ['EFFECTIVENESS_DUE', 'CLOSED_EFFECTIVE', -10]),
    record({}, ['OPENED', 'VOIDED', -10]),
  ], now)).toMatchObject({
    records: 4, open: 2, occurrences: 6, recurrence_rate: 0.25, effectiveness: { effective: 1, ineffective: 1, ineffective_share: 0.5 },
  });
});

test('time in a state: from each way in to each way out, the present state until now, ends not at all', () => {
  const trends = trendsOf([
    record({}, ['OPENED', 'TRIAGED', -90], ['TRIAGED', 'REJECTED', -60]),
    record({}, ['OPENED', 'TRIAGED', -40]), record({ opened_at: later(-1) }),
  ], now);
  expect(trends.time_in_state).toEqual([
    { state: 'OPENED', stays: 3, median_seconds: 600, longest_seconds: 3_600 },
    { state: 'TRIAGED', stays: 2, median_seconds: 1_800, longest_seconds: 2_400 },
  ]);
});

test('where problems come from, most reports first', () => {
  const trends = trendsOf([
    record({ source: 'manual', subsystem_id: 'shop' }), record({ source: 'rollback', occurrences: 6 }), record({ source: 'manual', occurrences: 2, subsystem_id: 'shop' }), record({ source: 'flapping' }),
  ], now);
  expect(trends.by_source).toEqual([
    { key: 'rollback', records: 1, occurrences: 6, cumulative_share: 0.6 }, { key: 'manual', records: 2, occurrences: 3, cumulative_share: 0.9 },
    { key: 'flapping', records: 1, occurrences: 1, cumulative_share: 1 },
  ]);
  expect(trends.by_subsystem.map(({ key }) => key)).toEqual(['mesh', 'shop']);
});
