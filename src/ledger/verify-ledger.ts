/**
 * Verifies a whole ledger: every record, the chain, the tree against signed checkpoints and against those that left the
 * database, and the grammar of what it tells. Nothing of the running system is asked or trusted.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { neverSealedShown, snapshot, type StoredCheckpoint } from './database-source.ts';
import type { Checked, Fact, Problem } from './entries.ts';
import { judgeLives, type Landing } from './grammar.ts';
import { openFrontier } from './merkle.ts';
import { openCheckpoint, openNote, readCheckpoint, type Verifier } from './note.ts';
import { firstPrev } from './record.ts';
import { checkDatabaseRange, type Range } from './verify-range.ts';

/** A checkpoint from outside of the database. */
export interface Pin { where: string; note: string }

export interface Report {
  log_id: string | null;
  records: number;
  root: string;
  /** Size of the newest checkpoint that a trusted key signed; 0 when none did. */
  signed_size: number;
  pins: number;
  missions: { started: number; ended: number };
  landings: Landing[];
  redacted: number;
  waiting: number;
  problems: Problem[];
}

/** Fewer records than this are checked before a second thread would have started. */
const parallelFrom = 50_000;

/**
 * @param trusted keys that the caller knows from elsewhere; without one, signatures prove nothing and the report says so
 * @param pins checkpoints from the file, the git ref, or a person's notebook
 */
export async function verifyDatabase(url: string, trusted: readonly Verifier[], pins: readonly Pin[]): Promise<Report> {
  const state = await snapshot(url);
  const log_id = readCheckpoint(state.checkpoints.at(-1)?.note ?? pins.at(-1)?.note ?? '')?.origin ?? null;
  const runs = log_id === null ? [] : await inRanges({ url, log_id, from: 1, to: state.last });
  const report = verifyRuns(runs, state.checkpoints, trusted, pins);
  const [first] = state.never_sealed;
  if (first !== undefined) {
    report.problems.push({
      kind: 'completeness', code: 'NEVER_SEALED', seq: null,
      detail: `${state.never_sealed.length === neverSealedShown ? 'at least ' : ''}${state.never_sealed.length} events are in no record, and not among those that wait for one; the oldest is ${first}`,
    });
  }
  return { ...report, log_id, waiting: state.waiting };
}

/** One range for each core, when there is enough to do. */
async function inRanges(range: Range): Promise<Checked[]> {
  const threads = range.to < parallelFrom || import.meta.url.endsWith('.ts') ? 1 : availableParallelism();
  const size = Math.ceil(range.to / threads);
  return Promise.all(Array.from({ length: threads }, (_, i) => {
    const part = { ...range, from: i * size + 1, to: Math.min(range.to, (i + 1) * size) };
    return i === 0 ? checkDatabaseRange(part) : inThread(part);
  }));
}

const inThread = (range: Range): Promise<Checked> => new Promise((resolve, reject) => {
  const worker = new Worker(new URL('./verify-range.js', import.meta.url), { workerData: range });
  worker.once('message', resolve);
  worker.once('error', reject);
});

/** Puts checked ranges together: boundaries, tree, checkpoints, redactions, grammar. */
export function verifyRuns(
  runs: readonly Checked[], stored: readonly StoredCheckpoint[], trusted: readonly Verifier[], pins: readonly Pin[],
): Omit<Report, 'log_id' | 'waiting'> {
  const problems = runs.flatMap((run) => run.problems);
  const records = runs.reduce((sum, run) => sum + run.leaves.length, 0);
  checkBoundaries(runs, problems);
  checkGone(runs, records, problems);

  const heads = headsBySize(stored, pinsToHold(pins, trusted, problems), problems);
  const root = growTree(runs, heads, problems);
  const signed_size = checkSignatures(stored, trusted, records, problems);
  let longest = 0;
  for (const size of heads.keys()) longest = Math.max(longest, size);
  if (longest > records) {
    problems.push({
      kind: 'truncated', code: 'TRUNCATED', seq: records + 1, expected: String(longest), found: String(records),
      detail: `the ledger ends at ${records}, and ${heads.get(longest)![0]!.where} says that it had ${longest} records`,
    });
  }
  if (stored.length > 0 && stored.at(-1)!.size < records) {
    const { size } = stored.at(-1)!;
    problems.push({ kind: 'integrity', code: 'UNSIGNED_TAIL', seq: size + 1, detail: `records after ${size} are under no signed checkpoint` });
  }

  const redacted = checkRedactions(runs, problems);
  const lives = judgeLives(factsOf(runs));
  return {
    records, root, signed_size, pins: pins.length, missions: lives.missions, landings: lives.landings, redacted,
    problems: [...problems, ...lives.problems].sort(byPlace),
  };
}

const byPlace = (a: Problem, b: Problem): number => (a.seq ?? Infinity) - (b.seq ?? Infinity);

function* factsOf(runs: readonly Checked[]): Generator<Fact> {
  for (const run of runs) yield* run.facts;
}

function checkBoundaries(runs: readonly Checked[], problems: Problem[]): void {
  let previous = firstPrev;
  let seq = 1;
  for (const run of runs) {
    if (run.first_prev !== null && run.first_prev !== previous) {
      problems.push({ kind: 'integrity', code: 'CHAIN_BROKEN', seq, detail: `record ${seq} does not follow the one before it`, expected: previous, found: run.first_prev });
    }
    previous = run.leaves.at(-1) ?? previous;
    seq += run.leaves.length;
  }
}

/** Events that are gone at the end were cut off; anywhere else they were taken out. */
function checkGone(runs: readonly Checked[], records: number, problems: Problem[]): void {
  const gone = runs.flatMap((run) => run.without_event);
  let end = records;
  while (gone.length > 0 && gone.at(-1) === end) {
    gone.pop();
    end -= 1;
  }
  if (end < records) {
    problems.push({
      kind: 'truncated', code: 'TRUNCATED', seq: end + 1, expected: String(records), found: String(end),
      detail: `the events of the last ${records - end} records are gone`,
    });
  }
  for (const seq of gone.slice(0, 100)) {
    problems.push({ kind: 'integrity', code: 'EVENT_MISSING', seq, detail: `the event of record ${seq} is gone` });
  }
}

interface Head { where: string; root: string }

/** Where a key is trusted, only what it signed is held against the ledger: anybody can write that it was longer. */
function pinsToHold(pins: readonly Pin[], trusted: readonly Verifier[], problems: Problem[]): Pin[] {
  return pins.filter(({ where, note }) => {
    if (readCheckpoint(note) === undefined) problems.push({ kind: 'unverifiable', code: 'PIN_UNREADABLE', seq: null, detail: `${where} is no checkpoint` });
    else if (trusted.length > 0 && openNote(note, trusted) === undefined) problems.push({ kind: 'unverifiable', code: 'PIN_UNSIGNED', seq: null, detail: `${where} was not signed by a trusted key` });
    else return true;
    return false;
  });
}

/** Every checkpoint that speaks of a size, by that size. */
function headsBySize(stored: readonly StoredCheckpoint[], pins: readonly Pin[], problems: Problem[]): Map<number, Head[]> {
  const heads = new Map<number, Head[]>();
  const add = (size: number, head: Head): void => { heads.set(size, [...(heads.get(size) ?? []), head]); };
  for (const { size, root, note } of stored) {
    const said = readCheckpoint(note);
    if (said?.size !== size || said.root !== root) {
      problems.push({ kind: 'integrity', code: 'CHECKPOINT_CHANGED', seq: size, detail: `the checkpoint at ${size} does not say what its note says` });
    }
    add(size, { where: 'the ledger’s own checkpoint', root: said?.root ?? root });
  }
  for (const { where, note } of pins) {
    const said = readCheckpoint(note)!;
    add(said.size, { where, root: said.root });
  }
  return heads;
}

/** Grows the tree over all records and holds it against every checkpoint on the way. @returns the root over all of them */
function growTree(runs: readonly Checked[], heads: ReadonlyMap<number, Head[]>, problems: Problem[]): string {
  const tree = openFrontier();
  let good = 0;
  let reported = false;
  for (const run of runs) {
    for (const leaf of run.leaves) {
      tree.append(leaf);
      const here = heads.get(tree.size);
      if (here === undefined) continue;
      const root = tree.root();
      const other = here.find((head) => head.root !== root);
      if (other === undefined) good = tree.size;
      else if (!reported) {
        // The first checkpoint that does not hold: every later one cannot either.
        reported = true;
        // A record of this stretch that is known to be bad says it more exactly.
        if (problems.some(({ kind, seq }) => kind === 'integrity' && seq !== null && seq > good && seq <= tree.size)) continue;
        problems.push({
          kind: 'integrity', code: 'ROOT_MISMATCH', seq: good + 1, expected: other.root, found: root,
          detail: `records ${good + 1} to ${tree.size} are not what was signed: ${other.where} has another root at ${tree.size}`,
        });
      }
    }
  }
  return tree.root();
}

/** @returns the size of the newest checkpoint that a trusted key signed */
function checkSignatures(stored: readonly StoredCheckpoint[], trusted: readonly Verifier[], records: number, problems: Problem[]): number {
  const latest = stored.at(-1);
  if (latest === undefined && records > 0) {
    problems.push({ kind: 'integrity', code: 'NO_CHECKPOINT', seq: 1, detail: 'the ledger has records and no checkpoint' });
  }
  if (trusted.length === 0) {
    problems.push({ kind: 'unverifiable', code: 'NO_TRUSTED_KEY', seq: null, detail: 'no key of the log was given: signatures were not checked (--key)' });
    return 0;
  }
  let signed = 0;
  if (latest !== undefined) {
    if (openCheckpoint(latest.note, trusted) === undefined) {
      problems.push({ kind: 'integrity', code: 'SIGNATURE_INVALID', seq: latest.size, detail: `the checkpoint at ${latest.size} was not signed by a trusted key` });
    } else signed = latest.size;
  }
  return signed;
}

/** A payload may be gone when an event says who took it. @returns how many were redacted */
function checkRedactions(runs: readonly Checked[], problems: Problem[]): number {
  const told = new Set(runs.flatMap((run) => run.redacted));
  const missing = runs.flatMap((run) => run.without_payload);
  for (const seq of missing.filter((seq) => !told.has(seq)).slice(0, 100)) {
    problems.push({ kind: 'integrity', code: 'PAYLOAD_MISSING', seq, detail: `the payload of record ${seq} is gone, and no event says that it was redacted` });
  }
  return missing.filter((seq) => told.has(seq)).length;
}

/** 0 whole, 1 integrity, 3 truncated, 2 incomplete, 4 cannot be told: the gravest that was found, in this order. */
export function exitCodeOf(problems: readonly Problem[]): 0 | 1 | 2 | 3 | 4 {
  for (const [kind, code] of [['integrity', 1], ['truncated', 3], ['completeness', 2], ['unverifiable', 4]] as const) {
    if (problems.some((problem) => problem.kind === kind)) return code;
  }
  return 0;
}
