/** Sealed records as they come out of a database or an export, and what is wrong with one by itself and after the last. */
import { saltedDigest } from './canonical.ts';
import { recordHash, recordOf, type Sealable } from './record.ts';

/** One ledger row as it was found: claims, until they are checked. */
export interface Entry {
  seq: number;
  prev: string;
  leaf_hash: string;
  /** Null when the event of this row is not there. */
  event: Sealable | null;
  salt: string | null;
  payload: unknown;
}

/** What a verification found wrong. `seq` is the first bad record where one can be named. */
export interface Problem {
  kind: 'integrity' | 'completeness' | 'truncated' | 'unverifiable';
  code: string;
  seq: number | null;
  detail: string;
  expected?: string;
  found?: string;
}

/** Of the events whose order is governed: enough to judge a mission's life. */
export interface Fact {
  seq: number;
  type: string;
  mission_id: string;
  actor_id: string;
  payload: Record<string, unknown>;
}

/** A run of checked records: what the next run, the tree and the grammar need of it. */
export interface Checked {
  first_prev: string | null;
  leaves: string[];
  problems: Problem[];
  facts: Fact[];
  /** Seqs without a payload; each must have been redacted by an event. */
  without_payload: number[];
  redacted: number[];
  /** Rows whose event is gone. */
  without_event: number[];
}

const governed = new Set([
  'mission.created', 'mission.started', 'mission.status_changed', 'tests.passed', 'approval.requested', 'approval.decided',
  'approval.automatic', 'approval.carried', 'merge.landed', 'merge.reverted', 'stage.started', 'healing.step_started',
]);
/** Stages outnumber everything else, and their place is all that matters of them. */
const nothing = {};
/** Enough to see what happened; the first one is what counts. */
const maxProblems = 100;

export interface RangeCheck {
  take(entry: Entry): void;
  readonly found: Checked;
}

/** @param from seq that the first entry must have */
export function checkRange(logId: string, from: number): RangeCheck {
  const found: Checked = { first_prev: null, leaves: [], problems: [], facts: [], without_payload: [], redacted: [], without_event: [] };
  let expectedSeq = from;
  let previous: string | null = null;
  const report = (problem: Omit<Problem, 'kind'>): void => {
    if (found.problems.length < maxProblems) found.problems.push({ kind: 'integrity', ...problem });
  };

  function take({ seq, prev, leaf_hash, event, salt, payload }: Entry): void {
    if (seq !== expectedSeq) {
      report({ code: 'SEQ_GAP', seq: expectedSeq, detail: `record ${expectedSeq} is not there: the next one is ${seq}`, expected: String(expectedSeq), found: String(seq) });
    }
    expectedSeq = seq + 1;
    if (previous === null) found.first_prev = prev;
    else if (prev !== previous) {
      report({ code: 'CHAIN_BROKEN', seq, detail: `record ${seq} does not follow the one before it`, expected: previous, found: prev });
    }
    previous = leaf_hash;
    found.leaves.push(leaf_hash);
    if (event === null) {
      found.without_event.push(seq);
      return;
    }
    const hash = recordHash(recordOf(event, { log_id: logId, seq, prev }));
    if (hash !== leaf_hash) {
      report({ code: 'RECORD_CHANGED', seq, detail: `record ${seq} (${event.type}) is not what was sealed`, expected: leaf_hash, found: hash });
    }
    if (salt === null || payload === null || payload === undefined) {
      found.without_payload.push(seq);
      // Who made a mission is in the record itself.
      if (event.type === 'mission.created' && event.subject.mission_id !== null) {
        found.facts.push({ seq, type: event.type, mission_id: event.subject.mission_id, actor_id: event.actor.id, payload: nothing });
      }
      return;
    }
    const digest = saltedDigest(salt, payload);
    if (digest !== event.payload_digest) {
      report({ code: 'PAYLOAD_CHANGED', seq, detail: `the payload of record ${seq} (${event.type}) is not what was sealed`, expected: event.payload_digest, found: digest });
    }
    if (event.type === 'payload.redacted') found.redacted.push(Number((payload as { seq?: unknown }).seq));
    if (event.subject.mission_id !== null && governed.has(event.type)) {
      found.facts.push({
        seq, type: event.type, mission_id: event.subject.mission_id, actor_id: event.actor.id,
        payload: event.type === 'stage.started' ? nothing : payload as Record<string, unknown>,
      });
    }
  }
  return { take, found };
}
