/** A CAPA record as the API shows it: the record, what is late, and where it can go. */
import { riskScore, type Capa, type CapaState } from './capa.ts';
import { overdueDates } from './capa-dates.ts';
import { nextStates } from './capa-transitions.ts';
import type { StoredEvent } from './event.ts';

export interface CapaView extends Capa {
  risk_score: number | null;
  overdue: { what: string; due_at: string; owner: string | null }[];
  next_states: CapaState[];
}

export type CapaHistoryEntry = Pick<StoredEvent, 'event_id' | 'ts' | 'type' | 'actor' | 'payload'>;

export interface CapaDetail extends CapaView { history: CapaHistoryEntry[] }

/** @param now milliseconds since the epoch */
export const capaView = (capa: Capa, now: number): CapaView => ({
  ...capa, risk_score: capa.risk === null ? null : riskScore(capa.risk),
  overdue: overdueDates(capa, now).map(({ what, at, owner }) => ({ what, due_at: at, owner })), next_states: nextStates(capa.state),
});
