/** What a merge queue did, read from the engine's own histories: who waited when, and who was taken. */
import { Client, Connection } from '@temporalio/client';
import { mergeQueueId, nextInQueue } from '../../dist/domain/landing.js';
import { severityRank } from '../../dist/domain/mission.js';

export async function connectTo({ temporal_address: address, temporal_namespace: namespace }) {
  const connection = await Connection.connect({ address });
  return { client: new Client({ connection, namespace }), close: () => connection.close() };
}

const decode = (payloads) => JSON.parse(Buffer.from(payloads.payloads[0].data).toString('utf8'));

/** Histories of all runs of the queue, oldest first. */
export async function queueHistories(client, repositoryId, branch = 'main') {
  const runs = [];
  for await (const run of client.workflow.list({ query: `WorkflowId = "${mergeQueueId(repositoryId, branch)}"` })) runs.push(run);
  runs.sort((a, b) => a.startTime - b.startTime);
  return Promise.all(runs.map(({ workflowId, runId }) => client.workflow.getHandle(workflowId, runId).fetchHistory()));
}

/**
 * Every time a landing began while others waited: was it the one whose turn it was (reverts, then severity, then arrival)?
 * Only those count that the queue had heard of when the landing before was answered, or when the queue was let go on.
 * @returns how often there was a choice, how often one of several severities, and what was out of order
 */
export function turnsTaken(histories) {
  let [choices, severitiesDiffered] = [0, 0];
  const wrong = [];
  for (const { events } of histories) {
    const input = decode(events[0].workflowExecutionStartedEventAttributes.input);
    let waiting = input.waiting.map((request) => ({ request, at: 0 }));
    let known = 0;
    let taken;
    const answers = new Set();
    for (const event of events) {
      const at = Number(event.eventId);
      const signal = event.workflowExecutionSignaledEventAttributes;
      const sent = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
      const received = event.externalWorkflowExecutionSignaledEventAttributes ?? event.signalExternalWorkflowExecutionFailedEventAttributes;
      const activity = event.activityTaskScheduledEventAttributes;
      if (signal?.signalName === 'enqueueLanding') waiting.push({ request: decode(signal.input), at });
      else if (event.workflowExecutionUpdateAcceptedEventAttributes) known = at;
      else if (sent?.signalName === 'landingResult') answers.add(at);
      else if (received && answers.has(Number(received.initiatedEventId))) known = at;
      else if (activity?.activityType?.name === 'buildLanding') {
        const request = decode(activity.input);
        if (request.request_id === taken) continue;
        taken = request.request_id;
        const heard = waiting.filter((item) => item.at <= known || item.request.request_id === taken).map((item) => item.request);
        const best = nextInQueue(heard, severityRank);
        if (heard.length > 1) choices += 1;
        if (new Set(heard.map(({ severity }) => severity)).size > 1) severitiesDiffered += 1;
        if (best.request_id !== taken) wrong.push(`${taken} (${request.severity}) before ${best.request_id} (${best.severity})`);
        waiting = waiting.filter((item) => item.request.request_id !== taken);
      }
    }
  }
  return { choices, severitiesDiffered, wrong };
}

/** What a mission asked of its queue. */
export async function landingAskedBy(client, missionId) {
  const { events } = await client.workflow.getHandle(missionId).fetchHistory();
  const asked = events.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'queueLanding');
  return decode(asked.activityTaskScheduledEventAttributes.input);
}
