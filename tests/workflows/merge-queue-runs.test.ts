import { afterAll, beforeAll, expect, test } from 'vitest';
import { mergeQueueId, type LandingRequest } from '../../src/domain/landing.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

/** What a mission asked of its queue, as the engine keeps it. */
async function landingAskedBy(missionId: string): Promise<LandingRequest> {
  const history = await system.temporal.workflow.getHandle(missionId).fetchHistory();
  const scheduled = history.events!.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'queueLanding')!;
  return JSON.parse(Buffer.from(scheduled.activityTaskScheduledEventAttributes!.input!.payloads![0]!.data!).toString()) as LandingRequest;
}

test('a queue with more landings than one run holds goes on in a second run, with everything that waited and nothing landed twice', async () => {
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id);
  const request = await landingAskedBy(mission.mission_id);
  // The same commit, asked for again and again: whatever is not recognised would be a second one.
  const waiting = Array.from({ length: 27 }, (_, i) => ({ ...request, request_id: `${request.request_id}:${i}` }));
  const queue = await system.temporal.workflow.start('mergeQueue', {
    workflowId: mergeQueueId(request.repository_id, 'main'), taskQueue: 'mission-control', workflowTaskTimeout: '10s',
    args: [{ repository_id: request.repository_id, target_branch: 'main', waiting, done: [] }],
  });
  await queue.result();
  const runOf = (runId: string) => system.temporal.workflow.getHandle(queue.workflowId, runId);
  const last = await system.temporal.workflow.getHandle(queue.workflowId).describe();
  expect([(await runOf(queue.firstExecutionRunId).describe()).status.name, last.status.name]).toEqual(['CONTINUED_AS_NEW', 'COMPLETED']);
  expect(last.runId).not.toBe(queue.firstExecutionRunId);

  const landings = async (runId: string): Promise<number> => (await runOf(runId).fetchHistory()).events!
    .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'land').length;
  expect(await Promise.all([queue.firstExecutionRunId, last.runId].map(landings))).toEqual([25, 2]);
  expect(repository.tip()).toBe(mission.landed_commit);
  expect(repository.log()).toHaveLength(2);
}, 120_000);
