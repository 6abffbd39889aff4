/** The mission's side of the merge queue: hand the commit over, wait for what became of it. */
import { condition, setHandler } from '@temporalio/workflow';
import type { FrozenContext } from '../domain/coding.ts';
import { conflictText, type LandingRequest, type LandingResult, type LandedNeighbour, type QueueFreeze, type TipMove } from '../domain/landing.ts';
import type { CodingPackage } from '../domain/mission-package.ts';
import type { StageOutcome } from '../domain/stages.ts';
import { main } from './activities.ts';
import type { MissionHost } from './host.ts';
import * as messages from './messages.ts';
import type { Mission, WaitReason } from './mission.ts';

export interface Landing {
  /** Ends when the queue has an answer other than "the origin is not ready". */
  land(host: MissionHost, request: Omit<LandingRequest, 'request_id' | 'host_queue'>, key: string): Promise<Exclude<LandingResult, { kind: 'blocked' }>>;
}

/** An origin whose working copy is dirty is asked again this often; a person may ask sooner by `retry`. */
const blockedRetryMs = 15_000;

export function openLanding(mission: Mission): Landing {
  const results = new Map<string, LandingResult>();
  const held = new Map<string, QueueFreeze | null>();
  setHandler(messages.landingResult, (result) => { results.set(result.request_id, result); });
  setHandler(messages.landingHeld, ({ request_id, freeze }) => { held.set(request_id, freeze); });

  return {
    async land(host, request, key) {
      for (let round = 1; ; round += 1) {
        const request_id = `${key}:${round}`;
        await main.queueLanding({ ...request, request_id, host_queue: host.queue() });
        const answered = (): boolean => results.has(request_id);
        // Most landings take less than a second; a wait of that length needs no row of its own.
        if (!(await condition(answered, '1s'))) {
          while (!answered()) {
            const freeze = held.get(request_id) ?? null;
            await mission.waitThrough(inQueue(request.target_branch, freeze), () => answered() || (held.get(request_id) ?? null) !== freeze);
          }
        }
        const result = results.get(request_id)!;
        if (result.kind !== 'blocked') return result;
        if (result.host_away === true) {
          await host.recover();
          continue;
        }
        await mission.waitForRetry({
          kind: 'landing', reason: result.reason,
          who: 'whoever owns the origin; an operator may retry or abort', on_deadline: 'it is tried again',
        }, blockedRetryMs);
      }
    },
  };
}

const inQueue = (branch: string, freeze: QueueFreeze | null): WaitReason => (freeze === null
  ? { kind: 'landing', reason: `in the merge queue of ${branch}`, who: 'the merge queue', on_deadline: null }
  : { kind: 'landing', reason: `the merge queue of ${branch} is frozen: ${freeze.reason}`, who: 'an operator, by missionctl merge-queue unfreeze', on_deadline: null });

/** What every landing of a mission says, be it a merge or a revert. */
export const landingBase = (pack: CodingPackage, context: FrozenContext) => ({
  mission_id: pack.mission_id, severity: pack.severity, repository_id: pack.workspace.repository_id,
  target_branch: pack.workspace.target_branch, carry_approval: context.policy.landing.carry_approval,
  must_pass_tests: pack.acceptance_criteria.must_pass_tests, setup_command: context.settings.commands.setup ?? null,
  test_command: context.settings.commands.test!, commit_time: pack.created_at,
  reruns: context.policy.tests?.reruns ?? 0,
  stress: context.policy.landing.stress_merged_tree === true && context.settings.commands.stress !== undefined
    ? { command: context.settings.commands.stress, thresholds: context.settings.stress_thresholds } : null,
});

/** The queue's answer as the outcome of a stage. */
export function landingOutcome(result: Exclude<LandingResult, { kind: 'blocked' }>): StageOutcome {
  switch (result.kind) {
    case 'landed':
      return { outcome: 'passed', reason: result.tested ? 'tested again on the merged tree' : null, evidence: result.evidence };
    case 'already_reverted':
      return { outcome: 'passed', reason: 'it was reverted before; nothing to do', evidence: [] };
    case 'conflict':
      return { outcome: 'failed', reason: conflictText(result), evidence: [] };
    case 'tests_failed':
      return { outcome: 'failed', reason: `tests fail on the merged tree: ${result.reasons.join('; ')}${besides(result.neighbours)}`, evidence: result.evidence };
    case 'approval_void':
      return { outcome: 'failed', reason: `the merged tree ${result.tree} is not what was approved`, evidence: result.evidence ?? [] };
    case 'base_moved':
      return { outcome: 'failed', reason: `BASE_MOVED: the target moved ${result.tries} times while landing${story(result.moves)}`, evidence: [] };
    case 'violation':
      return { outcome: 'failed', reason: `LANDING_VIOLATION: ${result.reason}`, evidence: [] };
  }
}

/** The other half of a failure that only the merge has. */
function besides(neighbours: readonly LandedNeighbour[] = []): string {
  const named = neighbours.slice(0, 10).map(({ commit, mission_id: mission }) => (mission === null ? commit.slice(0, 12) : `${mission} (${commit.slice(0, 12)})`));
  return named.length === 0 ? '' : `; landed since its base: ${named.join(', ')}`;
}

const story = (moves: readonly TipMove[] = []): string =>
  moves.map(({ from, to }, i) => `${i === 0 ? ': ' : ', '}tested on ${from.slice(0, 12)}, then it was at ${to?.slice(0, 12) ?? 'another commit'}`).join('');

/** Subject, and trailers that name the mission. A title is one line, whatever came in. */
export function commitMessage(pack: CodingPackage, subject: string, body = ''): string {
  return `${subject}: ${pack.title.replaceAll(/\s+/g, ' ')}\n\n${body === '' ? '' : `${body}\n\n`}Mission: ${pack.mission_id}\nSubsystem: ${pack.subsystem_id}\n`;
}
