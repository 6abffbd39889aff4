/** Runs of playbooks: what cooldown, recurrence and quarantine are counted from. */
import { systemActor, type Actor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import { quarantineAfter, type PastRun, type RunHistory, type RunOutcome } from '../domain/healing.ts';
import { resourceKey } from '../domain/subsystem.ts';
import { openCapa } from './capas.ts';
import type { Query } from './database.ts';
import { insertEvents } from './events.ts';
import { storable } from './json.ts';

/** A playbook on a resource: what limits are counted for. */
export interface RunTarget {
  playbook_id: string;
  subsystem_id: string;
  resource_id: string;
}

export interface HealingRun extends RunTarget {
  mission_id: string;
  attempt: number;
  playbook_version: number;
  fingerprint: string;
  plan_digest: string | null;
}

export interface HealingRunRow extends HealingRun {
  outcome: RunOutcome;
  reason: string | null;
  started_at: string;
  ended_at: string | null;
}

const runColumns = `mission_id, attempt, playbook_id, playbook_version, subsystem_id, resource_id, fingerprint, plan_digest, outcome,
  reason, started_at, ended_at`;

/** Runs that can matter for a limit. */
const runsKept = 1_000;

/** A person who lifts a quarantine settles what led to it: limits count from there. */
const sinceLifted = `started_at > coalesce((SELECT max(lifted_at) FROM quarantines q
  WHERE q.playbook_id = $1 AND q.subsystem_id = $2 AND q.resource_id = $3), '-infinity')`;

/** @param except the mission that asks: its own run is no history */
export async function historyOf(query: Query, target: RunTarget, except: string): Promise<RunHistory> {
  const { playbook_id, subsystem_id, resource_id } = target;
  const rows = await query<{ mission_id: string; outcome: RunOutcome; started_at: string; ended_at: string | null }>(
    `SELECT mission_id, outcome, started_at, ended_at FROM healing_runs
      WHERE playbook_id = $1 AND subsystem_id = $2 AND resource_id = $3 AND mission_id <> $4 AND ${sinceLifted}
      ORDER BY started_at DESC LIMIT $5`, [playbook_id, subsystem_id, resource_id, except, runsKept]);
  const [busy] = await query<{ count: number }>(
    `SELECT count(DISTINCT (subsystem_id, resource_id)) AS count FROM healing_runs
      WHERE playbook_id = $1 AND outcome = 'running' AND NOT (subsystem_id = $2 AND resource_id = $3)`,
    [playbook_id, subsystem_id, resource_id]);
  const [quarantined] = await query<{ reason: string }>(
    `SELECT reason FROM quarantines WHERE playbook_id = $1 AND subsystem_id = $2 AND resource_id = $3 AND lifted_at IS NULL`,
    [playbook_id, subsystem_id, resource_id]);
  const at = (time: string): number => Date.parse(time);
  return {
    runs: rows.map((row): PastRun => ({ ...row, started_at: at(row.started_at), ended_at: row.ended_at === null ? null : at(row.ended_at) })),
    busy_targets: busy!.count, quarantined: quarantined?.reason ?? null,
  };
}

/** How often this symptom was healed since `since`, be it that it came back: a symptom that needs healing again and again is not healed. */
export async function recurrencesOf(query: Query, fingerprint: string, since: string): Promise<number> {
  const [row] = await query<{ count: number }>(
    `SELECT count(*) AS count FROM healing_runs
      WHERE fingerprint = $1 AND outcome IN ('effective', 'ineffective') AND ended_at > $2`, [fingerprint, since]);
  return row!.count;
}

/** Runs of a playbook that nobody has ended, but for those of one mission. */
export const runningRuns = (query: Query, playbookId: string, except: string): Promise<{ mission_id: string; attempt: number }[]> =>
  query(`SELECT mission_id, attempt FROM healing_runs WHERE playbook_id = $1 AND outcome = 'running' AND mission_id <> $2 ORDER BY started_at LIMIT 100`,
    [playbookId, except]);

/**
 * Notes that a run begins, unless it may not; a repeat notes nothing more. Call it in a transaction.
 * @param refusalOf why it may not begin, by the history as it is now: of two that begin at once, the second one sees the first
 * @returns why it may not begin, or null
 */
export async function startRun(query: Query, run: HealingRun, refusalOf: (history: RunHistory) => string | null): Promise<string | null> {
  await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`healing_runs:${run.playbook_id}`]);
  const [known] = await query('SELECT 1 AS known FROM healing_runs WHERE mission_id = $1 AND attempt = $2', [run.mission_id, run.attempt]);
  if (known !== undefined) return null;
  const refusal = refusalOf(await historyOf(query, run, run.mission_id));
  if (refusal !== null) return refusal;
  await query(
    `INSERT INTO healing_runs (mission_id, attempt, playbook_id, playbook_version, subsystem_id, resource_id, fingerprint, plan_digest, outcome)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running') ON CONFLICT DO NOTHING`,
    [run.mission_id, run.attempt, run.playbook_id, run.playbook_version, run.subsystem_id, run.resource_id, run.fingerprint, run.plan_digest]);
  return null;
}

/**
 * Notes how a run ended, once; three ineffective ones within a day end in quarantine. Call it in a transaction.
 * @param provisionalSeconds how long an effective run may still turn out not to have been
 */
export async function endRun(
  query: Query, missionId: string, attempt: number, outcome: RunOutcome, reason: string, provisionalSeconds = 0,
): Promise<void> {
  const [run] = await query<HealingRunRow>(
    `UPDATE healing_runs SET outcome = $3, reason = $4, ended_at = clock_timestamp(),
            provisional_until = CASE WHEN $3 = 'effective' THEN clock_timestamp() + make_interval(secs => $5) END
      WHERE mission_id = $1 AND attempt = $2 AND outcome = 'running' RETURNING ${runColumns}`,
    [missionId, attempt, outcome, storable(reason), provisionalSeconds]);
  if (run === undefined) return;
  await insertEvents(query, [{
    type: 'healing.ended', actor: systemActor('worker'), subject: { ...noSubject, mission_id: missionId },
    payload: { attempt, playbook_id: run.playbook_id, resource: resourceKey(run.subsystem_id, run.resource_id), outcome, reason },
    idempotency_key: `${missionId}:run:${attempt}:ended`,
  }]);
  if (outcome === 'ineffective') await quarantineIfHopeless(query, run);
  if (outcome === 'effective') await markIfBackAlready(query, run);
}

/** The symptom came back while the run was still watched: its finding fires again, and nothing would say so a second time. */
async function markIfBackAlready(query: Query, { fingerprint, started_at }: HealingRunRow): Promise<void> {
  // The lock of the finding (store/findings.ts): an evaluation in this moment is seen here, or sees this run.
  await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`finding:${fingerprint}`]);
  const [back] = await query(
    `SELECT 1 AS back FROM findings WHERE fingerprint = $1 AND resolved_at IS NULL AND condition = 'FIRING' AND condition_since > $2`, [fingerprint, started_at]);
  if (back !== undefined) await markRecurrence(query, fingerprint, new Date());
}

/**
 * The symptom of this fingerprint fired again: what was held for healed within its recurrence window was not. Call it in the
 * transaction that opens the finding.
 * @returns the missions whose run is ineffective by hindsight
 */
export async function markRecurrence(query: Query, fingerprint: string, now: Date): Promise<string[]> {
  const runs = await query<HealingRunRow>(
    `UPDATE healing_runs SET outcome = 'ineffective', reason = 'the symptom came back'
      WHERE fingerprint = $1 AND outcome = 'effective' AND provisional_until > $2 RETURNING ${runColumns}`,
    [fingerprint, now.toISOString()]);
  for (const run of runs) {
    await insertEvents(query, [{
      type: 'healing.ineffective', actor: systemActor('worker'), subject: { ...noSubject, mission_id: run.mission_id },
      payload: { attempt: run.attempt, playbook_id: run.playbook_id, resource: resourceKey(run.subsystem_id, run.resource_id), fingerprint },
      idempotency_key: `${run.mission_id}:run:${run.attempt}:ineffective`,
    }]);
    await quarantineIfHopeless(query, run);
  }
  return runs.map((run) => run.mission_id);
}

async function quarantineIfHopeless(query: Query, run: HealingRunRow): Promise<void> {
  const { playbook_id, subsystem_id, resource_id } = run;
  const resource = resourceKey(subsystem_id, resource_id);
  // Two runs that end at once would each count without the other.
  await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`quarantine:${playbook_id}:${resource}`]);
  const [ineffective] = await query<{ count: number }>(
    `SELECT count(*) AS count FROM healing_runs
      WHERE playbook_id = $1 AND subsystem_id = $2 AND resource_id = $3 AND outcome = 'ineffective'
        AND ended_at > clock_timestamp() - interval '24 hours' AND ${sinceLifted}`, [playbook_id, subsystem_id, resource_id]);
  if (ineffective!.count < quarantineAfter) return;
  const reason = `${playbook_id} did not help ${resource} ${ineffective!.count} times in 24 h`;
  const [added] = await query<{ quarantine_id: number }>(
    `INSERT INTO quarantines (playbook_id, subsystem_id, resource_id, reason) VALUES ($1, $2, $3, $4)
     ON CONFLICT (playbook_id, subsystem_id, resource_id) WHERE lifted_at IS NULL DO NOTHING RETURNING quarantine_id`,
    [playbook_id, subsystem_id, resource_id, reason]);
  if (added === undefined) return;
  const capa = await openCapa(query, {
    source: 'quarantine', fingerprint: `healing:${run.fingerprint}`, mission_id: run.mission_id, subsystem_id,
    problem_statement: reason, evidence: [], actor: systemActor('worker'),
  });
  await query('UPDATE quarantines SET capa_id = $2 WHERE quarantine_id = $1', [added.quarantine_id, capa]);
  await insertEvents(query, [{
    type: 'playbook.quarantined', actor: systemActor('worker'), subject: { ...noSubject, mission_id: run.mission_id },
    payload: { playbook_id, resource, reason, capa_id: capa }, idempotency_key: `quarantine:${added.quarantine_id}`,
  }]);
}

export interface Quarantine extends RunTarget { reason: string; capa_id: string | null; since: string }

export async function openQuarantines(query: Query): Promise<Quarantine[]> {
  return query<Quarantine>(
    `SELECT playbook_id, subsystem_id, resource_id, reason, capa_id, since FROM quarantines WHERE lifted_at IS NULL
      ORDER BY since DESC LIMIT 1000`);
}

/** @returns false when it is not quarantined. Call it in a transaction. */
export async function liftQuarantine(query: Query, target: RunTarget, reason: string, by: Actor): Promise<boolean> {
  const { playbook_id, subsystem_id, resource_id } = target;
  const [lifted] = await query<{ quarantine_id: number }>(
    `UPDATE quarantines SET lifted_at = clock_timestamp(), lifted_by = $4, lift_reason = $5
      WHERE playbook_id = $1 AND subsystem_id = $2 AND resource_id = $3 AND lifted_at IS NULL RETURNING quarantine_id`,
    [playbook_id, subsystem_id, resource_id, by.id, reason]);
  if (lifted === undefined) return false;
  await insertEvents(query, [{
    type: 'playbook.released', actor: by, subject: noSubject,
    payload: { playbook_id, resource: resourceKey(subsystem_id, resource_id), reason }, idempotency_key: `quarantine:${lifted.quarantine_id}:lifted`,
  }]);
  return true;
}

/** Runs of a playbook, newest first. */
export async function listRuns(query: Query, playbookId: string | null, limit: number): Promise<HealingRunRow[]> {
  return query<HealingRunRow>(
    `SELECT ${runColumns} FROM healing_runs WHERE ($1::text IS NULL OR playbook_id = $1)
      ORDER BY started_at DESC, mission_id DESC, attempt DESC LIMIT $2`, [playbookId, limit]);
}

export interface RunCount { playbook_id: string; outcome: RunOutcome; runs: number; last_started_at: string }

/** How the runs of every playbook ended, counted since a moment. */
export const countRuns = (query: Query, since: string): Promise<RunCount[]> =>
  query(`SELECT playbook_id, outcome, count(*) AS runs, max(started_at) AS last_started_at FROM healing_runs
      WHERE started_at >= $1 GROUP BY playbook_id, outcome ORDER BY playbook_id, outcome`, [since]);
