/** Clients that hear the same: every frame is made once for each filter, however many share it. */
import type { EventFilter } from '../store/ledger.ts';
import { dataFrame, filterKey, matches, missionsOf } from './messages.ts';
import type { Peer } from './peer.ts';
import type { Batch } from './tail.ts';

export interface Group {
  filter: EventFilter;
  peers: Set<Peer>;
  /** Missions that events were about since their state was last sent. */
  touched: Set<string>;
  /** The cursor moved over events that the filter left out. */
  passedOver: boolean;
}

export interface Groups {
  /** The peer hears every batch from now on; returns how to leave. */
  join(peer: Peer, filter: EventFilter): () => void;
  all(): Iterable<Group>;
  fanOut(batch: Batch): void;
  /** Moves the cursors of those whose filter left everything out. */
  advance(seq: number): void;
}

export function createGroups(): Groups {
  const groups = new Map<string, Group>();
  return {
    join(peer, filter) {
      const key = filterKey(filter);
      const group = groups.get(key) ?? { filter, peers: new Set(), touched: new Set(), passedOver: false };
      groups.set(key, group);
      group.peers.add(peer);
      return () => {
        group.peers.delete(peer);
        if (group.peers.size === 0 && groups.get(key) === group) groups.delete(key);
      };
    },
    all: () => groups.values(),
    fanOut({ events, seq }) {
      for (const group of groups.values()) {
        const matching = events.filter(({ event }) => matches(group.filter, event));
        group.passedOver = matching.length === 0;
        if (matching.length === 0) continue;
        const frame = dataFrame(seq, matching);
        for (const peer of group.peers) peer.send(frame);
        for (const id of missionsOf(matching.map(({ event }) => event))) group.touched.add(id);
      }
    },
    advance(seq) {
      for (const group of groups.values()) {
        if (!group.passedOver) continue;
        group.passedOver = false;
        const frame = dataFrame(seq, []);
        for (const peer of group.peers) peer.send(frame);
      }
    },
  };
}
