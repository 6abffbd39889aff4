/** Times, durations and waits as a person says them. */
import type { MissionSummary } from '../../domain/mission-view.ts';
import type { WaitingKind, WaitingOn } from '../../domain/waiting.ts';
import { safe } from './safe-text.ts';

const units = [['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]] as const;

/** `3 d 4 h`, `12 min 5 s`, `0 s`: the two largest units that say anything. */
export function span(ms: number): string {
  let seconds = Math.max(0, Math.round(ms / 1_000));
  const parts: string[] = [];
  for (const [name, size] of units) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0 s';
}

export const ageOf = (time: string, now = Date.now()): string => span(now - Date.parse(time));

export const duration = (ms: number | null): string => {
  if (ms === null) return '';
  return ms < 10_000 ? `${ms} ms` : span(ms);
};

const awaited: Record<WaitingKind, string> = {
  approval: 'an approval', operator: 'an operator', agent: 'an agent', budget: 'budget', dependency: 'another mission',
  pause: 'the end of a pause', landing: 'its landing', observation: 'a decision on its observation window',
  resource: 'a resource that another healing works on',
};

const atDeadline: Record<string, string> = { rollback: 'the change is rolled back', escalate: 'the mission is escalated' };

/** Why it waits, who can change that, and what happens when nobody does. */
export function waitSentence({ kind, reason, who, since, deadline, on_deadline }: WaitingOn, now = Date.now()): string {
  const start = `waits for ${awaited[kind]}, ${ageOf(since, now)} so far: ${safe(reason)}.`;
  const whoCan = `Who can change that: ${safe(who)}.`;
  if (deadline === null) return `${start} ${whoCan} It has no deadline.`;
  const then = on_deadline === null ? 'it ends' : atDeadline[on_deadline] ?? safe(on_deadline);
  const left = Date.parse(deadline) - now;
  const when = left > 0 ? `In ${span(left)} (${shortTime(deadline)})` : `Since ${shortTime(deadline)}, as soon as a worker is there,`;
  return `${start} ${whoCan} ${when} ${then}.`;
}

/** `2026-11-21 09:00:43Z` */
export const shortTime = (time: string): string => time.slice(0, 19).replace('T', ' ').concat('Z');

/**
 * What happens next with a mission, as commands where a person can do something.
 * @param asked whether it is known to have been asked to start; a mission that was has a place in Temporal
 */
export function nextStep(mission: MissionSummary, asked = mission.links.temporal !== null): string {
  const { mission_id: id, status, waiting_on: wait } = mission;
  if (status === 'open' && asked) return `starts as soon as a worker takes it; follow it: missionctl mission watch ${id}`;
  if (status === 'open') return `not started; start it: missionctl mission execute ${id}`;
  if (wait !== null) return waitSentence(wait).concat(wait.kind === 'approval' ? ` See and decide it: missionctl approve ${id} --reason …` : '');
  if (mission.mission_type === 'tracked' && status === 'in_progress') return `is worked on elsewhere; follow it: missionctl mission watch ${id}`;
  if (status === 'in_progress' || status === 'observing') {
    return `runs ${mission.stage ?? 'soon'}; follow it: missionctl mission watch ${id}`;
  }
  return ending(mission);
}

/** How it ended, in one sentence. */
export function ending(mission: MissionSummary): string {
  const { status, outcome, ended_reason: reason, capa_id: capa } = mission;
  const why = reason === null ? '' : `: ${safe(reason)}`;
  return `${status} (${outcome ?? 'no outcome'})${why}${capa === null ? '' : `; see missionctl capa show ${safe(capa)}`}`;
}
