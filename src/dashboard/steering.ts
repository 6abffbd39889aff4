/** What a person may do to a mission, and what it is called: one place for its page, the lists and the palette. */
import type { MissionLine } from '../domain/mission-view.ts';
import { isTerminal } from '../domain/mission.ts';
import { inPath, post } from './api.ts';
import type { Question } from './parts/ask.ts';
import { may } from './session.ts';
import { canRetry } from './words.ts';

export const steeringVerbs = ['pause', 'resume', 'retry', 'abort'] as const;
export type SteeringVerb = (typeof steeringVerbs)[number];

export type Steerable = Pick<MissionLine, 'mission_id' | 'title' | 'status' | 'paused' | 'started_at' | 'waiting_on' | 'landed_commit'>;

const done: Readonly<Record<SteeringVerb, string>> = { pause: 'Paused', resume: 'Resumed', retry: 'Retried', abort: 'Aborted' };

/** Nothing is offered that would be refused. */
export function maySteer(verb: SteeringVerb, mission: Steerable): boolean {
  if (!may('mission:steer') || isTerminal(mission.status)) return false;
  const started = mission.started_at !== null;
  switch (verb) {
    case 'pause': return started && !mission.paused;
    case 'resume': return started && mission.paused;
    case 'retry': return canRetry(mission);
    case 'abort': return true;
  }
}

export function steeringQuestion(verb: SteeringVerb, { mission_id: id, title, waiting_on: on, landed_commit: landed }: Steerable): Question {
  switch (verb) {
    case 'pause': return { title: `Pause ${title}?`, effect: 'It stops before its next stage and stays there until somebody resumes it. What is being done now is finished.', verb: 'Pause', reason: 'optional' };
    case 'resume': return { title: `Resume ${title}?`, effect: 'It goes on where it was paused.', verb: 'Resume', reason: 'optional' };
    case 'retry': return { title: `Retry ${title}?`, effect: `${on?.reason ?? 'It waits'}. It is tried again at once.`, verb: 'Retry', reason: 'optional' };
    case 'abort': return {
      title: `Abort ${id}?`, verb: 'Abort', dangerous: true, reason: 'required',
      effect: `“${title}” ends now and cannot be started again.${landed === null ? ' Nothing of it has landed.' : ` ${landed.slice(0, 8)} stays landed and is no longer watched.`}`,
    };
  }
}

/** @returns the sentence that says when it takes effect; @throws ApiProblem when it is refused */
export async function steer(verb: SteeringVerb, { mission_id: id }: Pick<Steerable, 'mission_id'>, reason: string): Promise<string> {
  return told(done[verb], await post<Steered>(`/missions/${inPath(id)}/${verb}`, reason === '' ? {} : { reason }));
}

/** Decides about a mission's observation window. @throws ApiProblem */
export async function decideWindow(decision: 'resolve' | 'rollback' | 'extend', id: string, reason: string): Promise<string> {
  const words = { resolve: 'Resolved', rollback: 'Rolled back', extend: 'One more window' } as const;
  return told(words[decision], await post<Steered>(`/missions/${inPath(id)}/observation`, { decision, reason }));
}

interface Steered { mission_id: string; takes_effect: string }

const told = (what: string, { takes_effect: when }: Steered): string => (when === 'at once' ? `${what}.` : `${what}: takes effect ${when}.`);
