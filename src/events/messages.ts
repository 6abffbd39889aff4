/** Messages on the wire: what clients may say, checked, and what they hear, as frames that many can share. */
import { z } from 'zod';
import { eventTypes, type SealedEvent } from '../domain/event.ts';
import type { MissionLine } from '../domain/mission-view.ts';
import { text } from '../domain/schema/text.ts';
import type { ServerMessage } from '../domain/stream.ts';
import type { EventFilter } from '../store/ledger.ts';
import type { LiveEvent } from './tail.ts';

const subscribe = z.strictObject({
  type: z.literal('subscribe'), after: z.number().int().min(0).nullable().default(null),
  mission_id: text(100).optional(), types: z.array(z.enum(eventTypes)).min(1).max(100).optional(), subsystem_id: text(200).optional(),
});
const clientMessage = z.discriminatedUnion('type', [subscribe, z.strictObject({ type: z.literal('request_update') })]);
export type ClientMessage = z.infer<typeof clientMessage>;

/** @returns what is wrong with it, in words, when it is no message of ours */
export function readMessage(data: string): ClientMessage | { refused: string } {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return { refused: 'not JSON' };
  }
  const parsed = clientMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  return { refused: parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join('.') || 'message'}: ${message}`).join('; ').slice(0, 500) };
}

export const frameOf = (message: ServerMessage): Buffer => Buffer.from(JSON.stringify(message));

/** The events' JSON is there already; only the frame around it is new. */
export const dataFrame = (seq: number, events: readonly LiveEvent[]): Buffer =>
  Buffer.from(`{"type":"data_update","seq":${seq},"events":[${events.map(({ json }) => json).join(',')}]}`);

/** Clients with equal keys hear the same bytes. */
export const filterKey = ({ mission_id, types, subsystem_id }: EventFilter): string =>
  JSON.stringify([mission_id ?? null, types === undefined ? null : [...types].sort(), subsystem_id ?? null]);

/** The same question as the ledger's reader asks in SQL. */
export const matches = ({ mission_id, types, subsystem_id }: EventFilter, event: SealedEvent): boolean =>
  (mission_id === undefined || event.subject.mission_id === mission_id) &&
  (types === undefined || types.includes(event.type)) &&
  (subsystem_id === undefined || event.subsystem_id === subsystem_id);

/** Lines that a filter lets through; types are of events, a mission has none. */
export const lineMatches = ({ mission_id, subsystem_id }: EventFilter, line: MissionLine): boolean =>
  (mission_id === undefined || line.mission_id === mission_id) && (subsystem_id === undefined || line.subsystem_id === subsystem_id);

export const missionsOf = (events: readonly SealedEvent[]): string[] =>
  [...new Set(events.flatMap(({ subject }) => (subject.mission_id === null ? [] : [subject.mission_id])))];
