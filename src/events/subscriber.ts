/**
 * One client's subscription: a snapshot or a cursor, then pages of the ledger until memory reaches back far enough, then
 * live. The last step happens between two batches, so that nothing is missed and nothing comes twice.
 */
import type { Logger } from '../log.ts';
import type { Query } from '../store/database.ts';
import { eventsAfter, type EventFilter } from '../store/ledger.ts';
import { closeCodes, type Overview } from '../domain/stream.ts';
import { missionLines } from '../store/overview.ts';
import type { Groups } from './groups.ts';
import { dataFrame, frameOf, lineMatches, matches, missionsOf, readMessage, type ClientMessage } from './messages.ts';
import type { MetricsUpdates } from './metrics-updates.ts';
import type { MissionUpdates } from './mission-updates.ts';
import type { Peer } from './peer.ts';
import type { TakeSnapshot } from './snapshots.ts';
import type { LiveEvent, Tail } from './tail.ts';

export interface SubscriberDeps {
  query: Query;
  tail: Tail;
  groups: Groups;
  takeSnapshot: TakeSnapshot;
  missions: MissionUpdates;
  metrics: MetricsUpdates;
  logger: Logger;
}

export interface Subscriber {
  hear(data: string): void;
  /** Nothing is sent to it any more. */
  leave(): void;
}

/** Further behind, a snapshot is cheaper for both sides. */
const catchUpLimit = 10_000;
const pageSize = 500;
/** Nobody subscribes this often; each one may cost a reading of the ledger. */
const messagesPerTenSeconds = 30;

export function createSubscriber(peer: Peer, deps: SubscriberDeps): Subscriber {
  const { query, tail, groups, takeSnapshot, missions, metrics, logger } = deps;
  /** Of the subscription that counts; an earlier one that still reads finds that it is over. */
  let current = 0;
  let filter: EventFilter = {};
  let cursor = 0;
  let leaveGroup: () => void = () => undefined;
  let heard: number[] = [];

  function hear(data: string): void {
    // A socket hands on what comes between its close and the other side's: as much as a client likes to send.
    if (!peer.isOpen()) return;
    const now = performance.now();
    heard = [...heard.filter((at) => now - at < 10_000), now];
    if (heard.length > messagesPerTenSeconds) return peer.close(closeCodes.tooManyMessages, 'too many messages');
    const message = readMessage(data);
    if ('refused' in message) return peer.send(frameOf({ type: 'error', code: 'INVALID_MESSAGE', detail: message.refused }));
    void begin(message).catch((error: Error) => {
      logger.warn({ event: 'stream.subscription_failed', reason: error.message });
      peer.close(closeCodes.tryAgain, 'the ledger cannot be read now');
    });
  }

  async function begin(message: ClientMessage): Promise<void> {
    leave();
    const mine = current;
    const goesOn = (): boolean => mine === current && peer.isOpen();
    if (message.type === 'subscribe') {
      const { type: _, after, ...rest } = message;
      filter = rest;
      if (after !== null) {
        cursor = after;
        const refused = await tooFar(after);
        if (!goesOn()) return;
        if (refused !== undefined) return peer.send(frameOf({ type: 'snapshot_required', reason: refused }));
        return catchUp(goesOn);
      }
    }
    const overview = await filtered(await takeSnapshot());
    if (!goesOn()) return;
    cursor = overview.seq;
    peer.send(frameOf({ type: 'initial_data', ...overview }));
    return catchUp(goesOn);
  }

  async function tooFar(after: number): Promise<string | undefined> {
    // Another process may have told the client of what this one has not read yet.
    if (after > (tail.seq() ?? -1)) await tail.readNow();
    const seq = tail.seq() ?? 0;
    if (after > seq) return `the ledger ends at ${seq}, before ${after}`;
    return seq - after > catchUpLimit ? `${seq - after} events came since; more than ${catchUpLimit} are not sent one by one` : undefined;
  }

  async function filtered(overview: Overview): Promise<Overview> {
    if (filter.mission_id !== undefined) return { ...overview, missions: (await missionLines(query, [filter.mission_id])).filter((line) => lineMatches(filter, line)) };
    if (filter.subsystem_id !== undefined) return { ...overview, missions: overview.missions.filter((line) => lineMatches(filter, line)) };
    return overview;
  }

  async function catchUp(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const recent = tail.since(cursor);
      if (recent !== undefined) return goLive(recent, goesOn);
      await sendPage(goesOn);
      // The next page is read when this one has left: what waits for a slow client stays bounded.
      await peer.taken();
    }
  }

  /** Nothing is awaited here: no batch can come between the last missed event and the group. */
  function goLive(recent: readonly LiveEvent[], goesOn: () => boolean): void {
    const missed = recent.filter(({ event }) => matches(filter, event));
    const seq = tail.seq()!;
    if (missed.length > 0 || seq > cursor) peer.send(dataFrame(seq, missed));
    cursor = seq;
    leaveGroup = groups.join(peer, filter);
    missions.want({ peer, filter, ids: missionsOf(missed.map(({ event }) => event)), seq, stillWanted: goesOn });
    metrics.want(peer);
  }

  async function sendPage(goesOn: () => boolean): Promise<void> {
    // Never beyond what this process handed on: the rest comes live.
    const until = tail.seq();
    if (until === null) return tail.readNow();
    const rows = await eventsAfter(query, { after: cursor, limit: pageSize, ...filter });
    if (!goesOn()) return;
    const page = rows.filter(({ seq }) => seq <= until);
    // A page that is not full was the last: the filter left out whatever else there is.
    cursor = rows.length < pageSize || page.length < rows.length ? until : page.at(-1)!.seq;
    peer.send(dataFrame(cursor, page.map((event) => ({ event, json: JSON.stringify(event) }))));
    missions.want({ peer, filter, ids: missionsOf(page), seq: cursor, stillWanted: goesOn });
  }

  function leave(): void {
    current += 1;
    leaveGroup();
    leaveGroup = () => undefined;
  }

  return { hear, leave };
}
