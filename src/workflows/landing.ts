/** The mission's side of the merge queue: hand the commit over, wait for what became of it. */
import { condition, setHandler } from '@temporalio/workflow';
import type { FrozenContext } from '../domain/coding.ts';
import type { LandingRequest, LandingResult } from '../domain/landing.ts';
import type { CodingPackage } from '../domain/mission-package.ts';
import type { StageOutcome } from '../domain/stages.ts';
import { main } from './activities.ts';
import * as messages from './messages.ts';
import type { Mission } from './mission.ts';

export interface Landing {
  /** Ends when the queue has an answer other than "the origin is not ready". */
  land(request: Omit<LandingRequest, 'request_id'>, key: string): Promise<Exclude<LandingResult, { kind: 'blocked' }>>;
}

/** An origin whose working copy is dirty is asked again this often; a person may ask sooner by `retry`. */
const blockedRetryMs = 15_000;

export function openLanding(mission: Mission): Landing {
  const results = new Map<string, LandingResult>();
  setHandler(messages.landingResult, (result) => { results.set(result.request_id, result); });

  return {
    async land(request, key) {
      for (let round = 1; ; round += 1) {
        const request_id = `${key}:${round}`;
        await main.queueLanding({ ...request, request_id });
        const answered = (): boolean => results.has(request_id);
        // Most landings take less than a second; a wait of that length needs no row of its own.
        if (!(await condition(answered, '1s'))) {
          await mission.waitThrough({
            kind: 'landing', reason: `in the merge queue of ${request.target_branch}`,
            who: 'the merge queue', on_deadline: null,
          }, answered);
        }
        const result = results.get(request_id)!;
        if (result.kind !== 'blocked') return result;
        await mission.waitForRetry({
          kind: 'landing', reason: result.reason,
          who: 'whoever owns the origin; an operator may retry or abort', on_deadline: 'it is tried again',
        }, blockedRetryMs);
      }
    },
  };
}

/** What every landing of a mission says, be it a merge or a revert. */
export const landingBase = (pack: CodingPackage, host: string, context: FrozenContext) => ({
  mission_id: pack.mission_id, severity: pack.severity, repository_id: pack.workspace.repository_id,
  target_branch: pack.workspace.target_branch, host_queue: host, carry_approval: context.policy.landing.carry_approval,
  must_pass_tests: pack.acceptance_criteria.must_pass_tests, setup_command: context.settings.commands.setup ?? null,
  test_command: context.settings.commands.test!, commit_time: pack.created_at,
});

/** The queue's answer as the outcome of a stage. */
export function landingOutcome(result: Exclude<LandingResult, { kind: 'blocked' }>): StageOutcome {
  switch (result.kind) {
    case 'landed':
      return { outcome: 'passed', reason: result.tested ? 'tested again on the merged tree' : null, evidence: result.evidence };
    case 'already_reverted':
      return { outcome: 'passed', reason: 'it was reverted before; nothing to do', evidence: [] };
    case 'conflict':
      return { outcome: 'failed', reason: `conflicts with the target in ${result.paths.join(', ')}`, evidence: [] };
    case 'tests_failed':
      return { outcome: 'failed', reason: `tests fail on the merged tree: ${result.reasons.join('; ')}`, evidence: result.evidence };
    case 'approval_void':
      return { outcome: 'failed', reason: `the merged tree ${result.tree} is not what was approved`, evidence: [] };
    case 'base_moved':
      return { outcome: 'failed', reason: `BASE_MOVED: the target moved ${result.tries} times while landing`, evidence: [] };
    case 'violation':
      return { outcome: 'failed', reason: `LANDING_VIOLATION: ${result.reason}`, evidence: [] };
  }
}

/** Subject, and trailers that name the mission. A title is one line, whatever came in. */
export function commitMessage(pack: CodingPackage, subject: string, body = ''): string {
  return `${subject}: ${pack.title.replaceAll(/\s+/g, ' ')}\n\n${body === '' ? '' : `${body}\n\n`}Mission: ${pack.mission_id}\nSubsystem: ${pack.subsystem_id}\n`;
}
