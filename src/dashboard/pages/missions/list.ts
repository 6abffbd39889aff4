/** The missions that a filter asks for: pages of the API, with the live state of each laid over them. */
import { useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { MissionLine } from '../../../domain/mission-view.ts';
import type { MissionStatus, Severity } from '../../../domain/mission.ts';
import { get, query, type ApiProblem } from '../../api.ts';
import { missions, missionsNewestFirst, onSnapshot } from '../../store.ts';

export interface Filter {
  q: string;
  status: MissionStatus | '';
  severity: Severity | '';
  mission_type: string;
  subsystem_id: string;
  assigned_to: string;
  label: string;
}

interface Page { items: MissionLine[]; next_cursor: string | null }

const pageSize = 200;

/** What the server filtered by words is not filtered here again, unless it came later. */
function fits(mission: MissionLine, filter: Filter, options: { words: boolean }): boolean {
  const words = filter.q.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const about = `${mission.mission_id} ${mission.title}`.toLowerCase();
  return (filter.status === '' || mission.status === filter.status) && (filter.severity === '' || mission.severity === filter.severity)
    && (filter.mission_type === '' || mission.mission_type === filter.mission_type) && (filter.subsystem_id === '' || mission.subsystem_id === filter.subsystem_id)
    && (filter.assigned_to === '' || mission.assigned_to === filter.assigned_to) && (filter.label === '' || mission.labels.includes(filter.label))
    && (!options.words || words.every((word) => about.includes(word)));
}

/** Words to search for need a letter or digit; a lone dash is not sent. */
const searchable = (words: string): string => (/[\p{L}\p{N}]/u.test(words) ? words : '');

export function useMissions(filter: Filter) {
  const loaded = useSignal<{ items: readonly MissionLine[]; next: string | null; key: string } | null>(null);
  const error = useSignal<ApiProblem | null>(null);
  const busy = useSignal(false);
  const current = useSignal(filter);
  const key = JSON.stringify(filter);
  if (JSON.stringify(current.peek()) !== key) current.value = filter;

  async function load(cursor: string | null): Promise<void> {
    busy.value = true;
    try {
      const page = await get<Page>(`/missions${query({ ...filter, q: searchable(filter.q), limit: pageSize, cursor })}`);
      if (JSON.stringify(current.peek()) !== key) return;
      const before = cursor === null ? [] : loaded.peek()?.items ?? [];
      loaded.value = { items: [...before, ...page.items], next: page.next_cursor, key };
      error.value = null;
    } catch (problem) {
      error.value = problem as ApiProblem;
    } finally {
      busy.value = false;
    }
  }

  // While they type, the last word counts.
  useEffect(() => {
    const timer = setTimeout(() => { void load(null); }, loaded.peek() === null ? 0 : 200);
    return () => clearTimeout(timer);
  }, [key]);
  useEffect(() => onSnapshot(() => { void load(null); }), [key]);

  const items = useComputed(() => {
    const pages = loaded.value;
    if (pages === null) return [];
    const now = missions.value;
    const wanted = current.value;
    const known = new Set(pages.items.map((mission) => mission.mission_id));
    const newest = pages.items[0]?.created_at ?? '';
    // A mission that came since stands first; one that no longer fits is gone.
    const late = missionsNewestFirst.value.filter((mission) => !known.has(mission.mission_id) && mission.created_at >= newest && fits(mission, wanted, { words: true }));
    const live = pages.items.map((mission) => now.get(mission.mission_id) ?? mission).filter((mission) => fits(mission, wanted, { words: false }));
    return [...late, ...live];
  });

  function more(): void {
    const next = loaded.peek()?.next ?? null;
    if (next !== null && !busy.peek()) void load(next);
  }

  return { items: items.value, complete: loaded.value !== null && loaded.value.next === null, loading: loaded.value === null, error: error.value, more, reload: () => load(null) };
}
