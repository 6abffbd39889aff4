/** Missions that must be resolved first: a wait that their own end ends. */
import { setHandler } from '@temporalio/workflow';
import { isTerminal } from '../domain/mission.ts';
import { lookUp } from './activities.ts';
import { MissionEscalated } from './interrupts.ts';
import * as messages from './messages.ts';
import type { Mission } from './mission.ts';

const deadlineHours = 24 * 30;
const hourMs = 3_600_000;

export interface Dependencies {
  /** Returns once all are resolved. @throws MissionEscalated when one ended otherwise, or the deadline passed */
  resolved(): Promise<void>;
}

export function openDependencies(mission: Mission): Dependencies {
  let ended = 0;
  setHandler(messages.dependencyEnded, () => { ended += 1; });
  return {
    async resolved() {
      if (mission.package.workspace.dependencies.length === 0) return;
      // Written as started before looking: from here on the end of a dependency is told to us.
      await mission.flush();
      for (;;) {
        // Counted before looking: one that ends in between is seen either way.
        const before = ended;
        const all = await lookUp().dependencies(mission.package.mission_id);
        const lost = all.find(({ status }) => isTerminal(status) && status !== 'resolved');
        if (lost !== undefined) throw new MissionEscalated(`it depends on ${lost.mission_id}, which ended ${lost.status}`);
        const open = all.filter(({ status }) => status !== 'resolved').map(({ mission_id }) => mission_id);
        if (open.length === 0) return;
        const outcome = await mission.wait({
          kind: 'dependency', reason: `${open.join(', ')} must be resolved first`,
          who: 'the end of those missions; an operator may abort', on_deadline: 'escalate',
        }, () => ended > before, deadlineHours * hourMs);
        if (outcome === 'deadline') throw new MissionEscalated(`${open.join(', ')} was not resolved in ${deadlineHours / 24} days`);
      }
    },
  };
}
