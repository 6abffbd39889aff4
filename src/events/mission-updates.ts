/** The state of missions that events were about: read once for everybody, one reading after the other, so that none is overtaken. */
import type { MissionLine } from '../domain/mission-view.ts';
import type { Logger } from '../log.ts';
import type { Query } from '../store/database.ts';
import type { EventFilter } from '../store/ledger.ts';
import { missionLines } from '../store/overview.ts';
import type { Groups } from './groups.ts';
import { frameOf, lineMatches } from './messages.ts';
import type { Peer } from './peer.ts';
import type { Tail } from './tail.ts';

export interface MissionUpdates {
  /** Soon: the missions that the groups were told of. */
  due(): void;
  /** For one who is catching up and has been told everything up to `seq`. */
  want(wish: Wish): void;
}

export interface Wish { peer: Peer; filter: EventFilter; ids: readonly string[]; seq: number; stillWanted: () => boolean }

/** Ten steps of a mission within this are one update. */
const everyMs = 50;
const linesAtOnce = 500;

export function createMissionUpdates(query: Query, tail: Tail, groups: Groups, logger: Logger): MissionUpdates {
  let wanted: Wish[] = [];
  let again = false;
  let running = false;

  async function run(): Promise<void> {
    running = true;
    while (again) {
      again = false;
      await tellAll();
      await new Promise((resolve) => { setTimeout(resolve, everyMs).unref(); });
    }
    running = false;
  }

  async function tellAll(): Promise<void> {
    const singles = wanted;
    wanted = [];
    const shared = [...groups.all()].filter((group) => group.touched.size > 0).map((group) => {
      const ids = group.touched;
      group.touched = new Set();
      return { group, ids };
    });
    const seq = tail.seq();
    const ids = [...new Set([...shared.flatMap((one) => [...one.ids]), ...singles.flatMap((one) => [...one.ids])])];
    if (ids.length === 0 || seq === null) return;
    try {
      const lines = new Map<string, MissionLine>();
      for (const some of slices(ids)) for (const line of await missionLines(query, some)) lines.set(line.mission_id, line);
      for (const { group, ids } of shared) tell(group.peers, seq, group.filter, ids, lines);
      for (const wish of singles) if (wish.stillWanted()) tell([wish.peer], wish.seq, wish.filter, wish.ids, lines);
    } catch (error) {
      logger.warn({ event: 'stream.missions_unread', reason: (error as Error).message });
      // Nobody was told: they stay to be read.
      for (const { group, ids } of shared) for (const id of ids) group.touched.add(id);
      wanted.unshift(...singles.filter(({ stillWanted }) => stillWanted()));
      again = [...groups.all()].some((group) => group.touched.size > 0) || wanted.length > 0;
    }
  }

  function due(): void {
    again = true;
    if (!running) void run();
  }
  return {
    due,
    want(wish) {
      if (wish.ids.length === 0) return;
      wanted.push(wish);
      due();
    },
  };
}

function tell(peers: Iterable<Peer>, seq: number, filter: EventFilter, ids: Iterable<string>, lines: ReadonlyMap<string, MissionLine>): void {
  const found = [...ids].flatMap((id) => lines.get(id) ?? []).filter((line) => lineMatches(filter, line));
  for (const missions of slices(found)) {
    const frame = frameOf({ type: 'mission_update', seq, missions });
    for (const peer of peers) peer.send(frame);
  }
}

const slices = <T>(list: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(list.length / linesAtOnce) }, (_, i) => list.slice(i * linesAtOnce, (i + 1) * linesAtOnce));
