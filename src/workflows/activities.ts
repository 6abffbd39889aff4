/** Every proxy with its timeouts and retries, side by side. */
import { ActivityCancellationType, ActivityFailure, patched, proxyActivities, proxyLocalActivities, TimeoutFailure, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { permanentFailures } from '../domain/failure.ts';
import { landingQueueOf } from '../domain/landing.ts';

/**
 * Short keyed database writes, and questions that are answered the same when they are asked twice. They go on until the
 * database is back: nothing may be decided that is not recorded.
 */
export const record = oneAtATime(proxyLocalActivities<Activities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '30s',
  retry: { initialInterval: '100ms', maximumInterval: '1s', backoffCoefficient: 2 },
}));

/**
 * A workflow's local activities run one after the other, whoever asks: its pipeline or the handler of a message. Two
 * under way at once end in two activations when they run, and in a single one when their history is replayed; what
 * their callers do next may then come in another order, and the next worker refuses the history (TMPRL1100). One that
 * waits for nobody is scheduled at once. Histories from before this rule go on without it until they are caught up with.
 */
function oneAtATime(activities: Activities): Activities {
  let last: Promise<void> | null = null;
  return around(activities, (run) => {
    const turn = last === null || !patched('one-local-activity-at-a-time') ? run() : last.then(run);
    const ended: Promise<void> = turn.then(() => undefined, () => undefined).then(() => {
      if (last === ended) last = null;
    });
    last = ended;
    return turn;
  });
}

/** The same activities, each call of them made by `how`. */
function around(activities: Activities, how: (run: () => Promise<unknown>) => Promise<unknown>): Activities {
  return new Proxy(activities, {
    get: (target, name: keyof Activities) => (...args: unknown[]) => how(() => (target[name] as (...given: unknown[]) => Promise<unknown>)(...args)),
  });
}

/** Effects on other workflows, and records that may not be undone; keyed, no files. */
export const main = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '100ms', maximumInterval: '2s', backoffCoefficient: 2 },
});

/**
 * What is asked of the world before something is recorded that rests on the answer. A local activity is asked again when
 * its workflow task is lost with its worker: a second, different answer would be at odds with what was recorded after the
 * first, and the record stands.
 */
export const lookUp = (): Activities => (patched('answers-outlive-their-task') ? main : record);

/**
 * How a record is written that must not be read before the history has what it says, if it `binds`: any other one may be
 * written by a task that is lost, and is made again with it.
 */
export const recording = (binds: boolean): Activities => (binds && patched('messages-before-their-records') ? main : record);

/**
 * Work on one host's files. What a dead worker left is failed by the next one on that host and done again at once; the
 * heartbeat (one every 0.5 s) notices a host that is gone. Its timeout is long enough for a machine that the tests
 * themselves keep busy. A failure that repeats ten times parks the mission for a person.
 */
const onDisk: ActivityOptions = {
  startToCloseTimeout: '24h',
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: {
    initialInterval: '100ms', maximumInterval: '5s', backoffCoefficient: 2, maximumAttempts: 10,
    nonRetryableErrorTypes: [...permanentFailures],
  },
};

export const onHost = (hostQueue: string): Activities =>
  waitingForTurn(hostQueue, proxyActivities<Activities>({ ...onDisk, taskQueue: hostQueue, scheduleToStartTimeout: '30s' }));

/** What the merge queues do on a host: on a queue of its own, so that no landing waits behind the tests of other missions. */
export const landingOn = (hostQueue: string): Activities =>
  waitingForTurn(hostQueue, proxyActivities<Activities>({ ...onDisk, taskQueue: landingQueueOf(hostQueue), scheduleToStartTimeout: '15s' }));

/** Whether an activity was never begun in time: nobody takes work from that queue. */
export const neverStarted = (error: unknown): boolean =>
  error instanceof ActivityFailure && error.cause instanceof TimeoutFailure && error.cause.timeoutType === 'SCHEDULE_TO_START';

/** An activity that did not begin in time waits on while its host is there, and fails when it is gone. */
function waitingForTurn(hostQueue: string, activities: Activities): Activities {
  return around(activities, async (run) => {
    for (;;) {
      try {
        return await run();
      } catch (error) {
        if (!neverStarted(error) || !(await record.hostState(hostQueue)).alive) throw error;
      }
    }
  });
}

/**
 * A playbook's question about the world: tried a few times, for a probe that cannot look is a reason not to act.
 */
export const probing = (taskQueue: string): Activities => proxyActivities<Activities>({
  taskQueue, startToCloseTimeout: '20m', heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '200ms', maximumInterval: '2s', backoffCoefficient: 2, maximumAttempts: 3 },
});

/**
 * One effect of a plan. What the action itself refuses is not tried again; a worker that died is, and the next try asks
 * first what the one before got done.
 */
export const acting = (taskQueue: string, timeoutSeconds: number): Activities => proxyActivities<Activities>({
  taskQueue, startToCloseTimeout: timeoutSeconds * 1_000 + 30_000, heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '200ms', maximumInterval: '5s', backoffCoefficient: 2, maximumAttempts: 5 },
});

/** Messages to people: again after 1 s, then ever later up to half an hour; given up after about five hours. */
export const delivery = proxyActivities<Activities>({
  startToCloseTimeout: '1m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30m', maximumAttempts: 20 },
});

/** Work on the whole store, minutes at most; the next turn of its schedule does what this one did not. */
export const upkeep = proxyActivities<Activities>({
  startToCloseTimeout: '15m', scheduleToCloseTimeout: '50m',
  retry: { initialInterval: '1s', maximumInterval: '1m', backoffCoefficient: 2, maximumAttempts: 5 },
});

/** Upkeep of one host's files, two hours at most. Nobody waits for it: what a turn does not do, the next one does. */
export const hostUpkeep = (taskQueue: string): Activities => proxyActivities<Activities>({
  taskQueue, scheduleToStartTimeout: '10m', startToCloseTimeout: '2h', heartbeatTimeout: '30s', retry: { maximumAttempts: 2 },
});

/** Tidying on a host that may be gone: tried for a while, then left to whoever uses the slot next. */
export const cleanUp = (taskQueue: string): Activities => proxyActivities<Activities>({
  taskQueue, scheduleToStartTimeout: '1m', startToCloseTimeout: '1m', heartbeatTimeout: '30s',
  retry: { maximumAttempts: 3 },
});

/**
 * Looks of the detector. Never tried again: the next look is due in a moment, and a dead worker's look must not keep it
 * waiting. Long enough for a probe's own limit of 60 s, each eight at once.
 */
export const watching = proxyActivities<Activities>({
  scheduleToStartTimeout: '1m', startToCloseTimeout: '5m', heartbeatTimeout: '5s', retry: { maximumAttempts: 1 },
});
