/** CAPA records: attended when a date passes, their workflows told of what they missed. */
import { systemActor } from '../domain/actor.ts';
import { isClosed, type Capa } from '../domain/capa.ts';
import { judgeEffectiveness, measurementWindow, nextDate, overdueDates } from '../domain/capa-dates.ts';
import { moved } from '../domain/capa-transitions.ts';
import { tellCapa } from '../engine/tell-capa.ts';
import { markTold, samplesOfOthers, untoldCapas } from '../store/capa-workflows.ts';
import { capaSubject, lockCapa, saveCapa } from '../store/capas.ts';
import type { Query } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import type { ActivityDeps } from './deps.ts';

/** What a record's workflow has to wait for. */
export interface CapaAttended {
  closed: boolean;
  /** Next date, milliseconds since the epoch. */
  next: number | null;
}

const actor = systemActor('capa');

export const capaActivities = ({ database }: ActivityDeps) => ({
  /** Does what is due: notes what is late, once a date; measures the effect, once a plan. Safe to repeat. */
  async attendCapa(id: string): Promise<CapaAttended> {
    return database.transaction(async (query) => {
      const now = Date.now();
      const locked = await lockCapa(query, id);
      if (locked === undefined || isClosed(locked.state)) return { closed: true, next: null };
      await noteOverdue(query, locked, now);
      const capa = await measureWhenDue(query, locked, now);
      return { closed: isClosed(capa.state), next: nextDate(capa, now) };
    });
  },
});

/** An event for each date that passed. A date that is moved can pass again. */
async function noteOverdue(query: Query, capa: Capa, now: number): Promise<void> {
  await insertEvents(query, overdueDates(capa, now).map((date) => ({
    type: 'capa.overdue' as const, actor, subject: capaSubject(capa),
    payload: { capa_id: capa.capa_id, state: capa.state, what: date.what, due_at: date.at, owner: date.owner },
    idempotency_key: `capa:${capa.capa_id}:overdue:${date.what}:${date.at}`,
  })));
}

/** Measures at the due date. What did not pass, or could not be known, reopens the record. */
async function measureWhenDue(query: Query, capa: Capa, now: number): Promise<Capa> {
  const window = measurementWindow(capa);
  if (window === null || Date.parse(window.until) > now) return capa;
  const criterion = capa.criterion!;
  const owners = capa.actions.map(({ owner }) => owner);
  const result = judgeEffectiveness(criterion, window, await samplesOfOthers(query, criterion.metric_id, window, owners));
  const measured: Capa = { ...capa, version: capa.version + 1, result };
  await saveCapa(query, measured, { type: 'capa.effectiveness_measured', actor, payload: { ...result, criterion } });
  const settled = result.passed ? measured : moved(measured, { to: 'REOPENED', reason: result.reason, duplicate_of: null, actor, now });
  if (!result.passed) {
    await saveCapa(query, settled, { type: 'capa.transitioned', actor, payload: { from: capa.state, to: settled.state, reason: result.reason } });
  }
  // The workflow that asked for this needs no telling.
  await markTold(query, capa.capa_id, settled.version);
  return settled;
}

/** Tells the workflows of records what a crash kept from them. @returns how many */
export async function tellUntold({ database, temporal }: Pick<ActivityDeps, 'database' | 'temporal'>): Promise<number> {
  const untold = await untoldCapas(database.query, 100);
  for (const id of untold) await tellCapa(temporal, database.query, id);
  return untold.length;
}
