/** Everything that the palette can do now: pages, missions, verbs. What is not allowed is not here. */
import type { MissionLine } from '../../domain/mission-view.ts';
import { isTerminal } from '../../domain/mission.ts';
import { pageAt } from '../frame/open-page.tsx';
import { pages } from '../pages/index.ts';
import { sayDone, sayRefused } from '../parts/answers.tsx';
import { askFirst } from '../parts/ask.ts';
import { navigate } from '../route.ts';
import { may, signOut } from '../session.ts';
import { maySteer, steer, steeringQuestion, steeringVerbs, type SteeringVerb } from '../steering.ts';
import { theme, themes } from '../theme.ts';
import { capital, stateOf } from '../words.ts';

export interface Command {
  id: string;
  /** What stands there, and what is searched. */
  words: string;
  /** Small, at the right. */
  hint: string;
  run: () => void | Promise<void>;
}

export const missionPath = (id: string): string => `/missions/${encodeURIComponent(id)}`;

/** Goes to pages, and what has no object. */
export function plainCommands(temporalUi: string | null, playbooks: readonly string[]): Command[] {
  const to = (words: string, path: string, hint = 'page'): Command => ({ id: `go:${path}`, words, hint, run: () => navigate(path) });
  return [
    ...pages.filter((page) => page.nav !== undefined && (page.needs === undefined || may(page.needs))).map((page) => to(page.title, page.path)),
    ...(may('mission:create') ? [to('New mission', '/missions?new=1', 'create')] : []),
    ...(may('healing:read') ? playbooks.map((id) => ({ id, path: `/playbooks/${encodeURIComponent(id)}` })).filter(({ path }) => pageAt(path) !== undefined).map(({ id, path }) => to(`Run playbook ${id}`, path, 'opens it')) : []),
    ...(temporalUi === null ? [] : [{ id: 'temporal', words: 'Open Temporal UI', hint: 'new window', run: () => { open(temporalUi, '_blank', 'noreferrer'); } }]),
    ...themes.filter((one) => one !== theme.value).map((one) => ({ id: `theme:${one}`, words: `Theme: ${one === 'system' ? 'follow the system' : one}`, hint: 'switch', run: () => { theme.value = one; } })),
    { id: 'sign-out', words: 'Sign out', hint: 'end this session', run: () => signOut() },
  ];
}

export const missionCommand = (mission: MissionLine): Command => ({
  id: `mission:${mission.mission_id}`, words: `${mission.title} · ${mission.mission_id}`, hint: stateOf(mission).word, run: () => navigate(missionPath(mission.mission_id)),
});

/** What the first word may be the beginning of; one letter could be anything. */
const begins = (verb: string, typed: string): boolean => typed.length >= 2 && verb.startsWith(typed);

/**
 * Verbs on missions, when what is typed begins with one, or for the mission whose page is open.
 * @param openId the mission whose page is open
 */
export function missionVerbs(typed: string, missions: readonly MissionLine[], openId: string | undefined): Command[] {
  const first = typed.trim().toLowerCase().split(/\s+/)[0] ?? '';
  const running = missions.filter((mission) => !isTerminal(mission.status));
  const about = (verb: string): readonly MissionLine[] => (begins(verb, first) ? running : running.filter((mission) => mission.mission_id === openId));
  return [
    ...(may('approval:decide') ? about('approve').filter((mission) => mission.waiting_on?.kind === 'approval').map((mission): Command => ({
      id: `approve:${mission.mission_id}`, words: `Approve ${mission.title} · ${mission.mission_id}`, hint: 'opens the approval', run: () => navigate(`${missionPath(mission.mission_id)}?tab=approvals`),
    })) : []),
    ...steeringVerbs.flatMap((verb) => about(verb).filter((mission) => maySteer(verb, mission)).map((mission) => steeringCommand(verb, mission))),
  ];
}

const steeringCommand = (verb: SteeringVerb, mission: MissionLine): Command => ({
  id: `${verb}:${mission.mission_id}`, words: `${capital(verb)} ${mission.title} · ${mission.mission_id}`, hint: verb === 'abort' ? 'asks first' : verb,
  async run() {
    const reason = await askFirst(steeringQuestion(verb, mission));
    if (reason === null) return;
    sayDone(await steer(verb, mission, reason));
  },
});

export async function runCommand(command: Command): Promise<void> {
  try {
    await command.run();
  } catch (error) {
    sayRefused(error);
  }
}
