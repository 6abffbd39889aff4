/** What many CAPA records say together: do problems come back, where do records lie, do actions work. */
import { capaStates, isClosed, type CapaDecision, type CapaSource, type CapaState } from './capa.ts';

export interface TrendInput {
  state: CapaState;
  source: CapaSource;
  subsystem_id: string;
  occurrences: number;
  opened_at: string;
  decisions: readonly Pick<CapaDecision, 'from' | 'to' | 'at'>[];
}

export interface ParetoRow { key: string; records: number; occurrences: number; cumulative_share: number }

/** A share of nothing is null, not 0: nothing is known of it. */
export interface CapaTrends {
  records: number;
  open: number;
  occurrences: number;
  /** Share of records whose problem was reported again while they were open. */
  recurrence_rate: number | null;
  effectiveness: { effective: number; ineffective: number; ineffective_share: number | null };
  time_in_state: { state: CapaState; stays: number; median_seconds: number; longest_seconds: number }[];
  by_source: ParetoRow[];
  by_subsystem: ParetoRow[];
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

/** @param now milliseconds since the epoch: a record's present state lasts until then */
export function trendsOf(records: readonly TrendInput[], now: number): CapaTrends {
  const moves = records.flatMap(({ decisions }) => decisions);
  const effective = moves.filter(({ to }) => to === 'CLOSED_EFFECTIVE').length;
  const ineffective = moves.filter(({ from, to }) => from === 'EFFECTIVENESS_DUE' && to === 'REOPENED').length;
  return {
    records: records.length,
    open: records.filter(({ state }) => !isClosed(state)).length,
    occurrences: records.reduce((sum, { occurrences }) => sum + occurrences, 0),
    recurrence_rate: share(records.filter(({ occurrences }) => occurrences > 1).length, records.length),
    effectiveness: { effective, ineffective, ineffective_share: share(ineffective, effective + ineffective) },
    time_in_state: timeInState(records, now),
    by_source: pareto(records, ({ source }) => source),
    by_subsystem: pareto(records, ({ subsystem_id }) => subsystem_id),
  };
}

function timeInState(records: readonly TrendInput[], now: number): CapaTrends['time_in_state'] {
  const stays = new Map<CapaState, number[]>();
  for (const { state, opened_at, decisions } of records) {
    let since = Date.parse(opened_at);
    for (const { from, at } of decisions) {
      stays.set(from, [...stays.get(from) ?? [], seconds(since, Date.parse(at))]);
      since = Date.parse(at);
    }
    if (!isClosed(state)) stays.set(state, [...stays.get(state) ?? [], seconds(since, now)]);
  }
  return capaStates.flatMap((state) => {
    const lengths = (stays.get(state) ?? []).sort((a, b) => a - b);
    if (lengths.length === 0) return [];
    return [{ state, stays: lengths.length, median_seconds: lengths[Math.ceil(lengths.length / 2) - 1]!, longest_seconds: lengths.at(-1)! }];
  });
}

const seconds = (from: number, to: number): number => Math.max(0, to - from) / 1_000;

/** Most reports first: what to mend first. */
function pareto(records: readonly TrendInput[], keyOf: (record: TrendInput) => string): ParetoRow[] {
  const rows = new Map<string, { records: number; occurrences: number }>();
  for (const record of records) {
    const row = rows.get(keyOf(record)) ?? { records: 0, occurrences: 0 };
    rows.set(keyOf(record), { records: row.records + 1, occurrences: row.occurrences + record.occurrences });
  }
  const total = records.reduce((sum, { occurrences }) => sum + occurrences, 0);
  let seen = 0;
  return [...rows].sort(([a, x], [b, y]) => y.occurrences - x.occurrences || (a < b ? -1 : 1)).map(([key, row]) => {
    seen += row.occurrences;
    return { key, ...row, cumulative_share: seen / total };
  });
}
