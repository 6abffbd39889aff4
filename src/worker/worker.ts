/** The worker: workflows and their activities on the main queue, work on this host's files on a queue of its own. */
import { join } from 'node:path';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { createGit } from '../git/git.ts';
import { createMirrors } from '../git/mirror.ts';
import { endOrphanedGit } from '../git/orphans.ts';
import { createWorktrees } from '../git/worktrees.ts';
import { bestOf, missingIn } from '../activities/process/ladder.ts';
import { createProcessRunner } from '../activities/process/runner.ts';
import type { Config } from '../config.ts';
import { connectionOptions, createClient, taskQueue, workspaceQueue } from '../engine/client.ts';
import { landingQueueOf } from '../domain/landing.ts';
import { hostIdOf, requirePrivate } from '../home.ts';
import type { Logger } from '../log.ts';
import { createArtifacts } from '../store/artifacts.ts';
import { createCatalog } from '../store/catalog.ts';
import { createDatabase } from '../store/database.ts';
import { readWorkspaceSettings } from '../store/workspace-settings.ts';
import { announceWorker } from '../store/presence.ts';
import { startLedger } from './ledger.ts';
import { keepSchedules } from './schedules.ts';
import { clearScratch } from './scratch.ts';
import { failUnfinished, rememberRunning } from './unfinished.ts';

export interface RunningWorker {
  /** Ends when the worker has stopped; rejects when it failed. */
  done: Promise<void>;
  stop(): void;
}

/** How many commands of repositories run at once on this host. */
const concurrentWorkspaceActivities = 4;
/** How many branches are landed on at once. */
const concurrentLandings = 4;

export async function startWorker(
  config: Config, databaseUrl: string, workflowBundle: WorkerOptions['workflowBundle'], logger: Logger,
): Promise<RunningWorker> {
  await requirePrivate([config.git.credentials, config.git.sshKey]);
  const database = createDatabase(databaseUrl, logger);
  const hostId = await hostIdOf(config.home);
  const hostQueue = workspaceQueue(hostId);
  const temporal = await createClient(config.temporal);
  const gitHome = join(config.home, 'scratch', 'git-home');
  await endOrphanedGit(gitHome);
  const git = createGit(gitHome, config.git);
  const mirrors = createMirrors(git, join(config.home, 'mirrors'), config.repoRoots);
  const processes = createProcessRunner(join(config.home, 'scratch'));
  const activities = createActivities({
    config, logger, database, temporal, hostId, hostQueue, git, mirrors, processes,
    artifacts: createArtifacts(config.artifacts, database.query),
    catalog: createCatalog(config.configFolder, database, logger),
    worktrees: createWorktrees(git, mirrors, database, join(config.home, 'worktrees'), hostId, {
      bound: async () => (await readWorkspaceSettings(config.configFolder)).slots_per_repository, sweep: (holder) => processes.sweep(holder),
    }),
  });

  await clearScratch(config.home, logger);
  // Not waited for: a worker is ready before it, and the first command waits for it by itself.
  void processes.ladder().then(
    (ladder) => logger.info({ event: 'sandbox.levels', level: bestOf(ladder, { strongest: 'bwrap' }), groups: ladder.groups?.version ?? 'none', missing: missingIn(ladder) }),
    (error: Error) => logger.error({ event: 'sandbox.unprobed', reason: error.message }));

  await failUnfinished(config.home, temporal, logger);
  const connection = await NativeConnection.connect(await connectionOptions(config.temporal));
  const common = {
    connection, namespace: config.temporal.namespace, activities,
    interceptors: { activity: [rememberRunning(config.home)] },
    // Cancellation reaches an activity with the answer to its heartbeat: the SDK's own throttle would let people wait.
    maxHeartbeatThrottleInterval: '500ms', defaultHeartbeatThrottleInterval: '500ms',
    shutdownGraceTime: '1s', shutdownForceTime: '8s',
  } satisfies Partial<WorkerOptions>;
  const workers = await Promise.all([
    Worker.create({
      ...common, taskQueue, ...(workflowBundle === undefined ? {} : { workflowBundle }),
      // A signal to a workflow whose worker died waits this long for the dead one; 10 s at the default.
      stickyQueueScheduleToStartTimeout: '1s',
      workflowThreadPoolSize: 2,
      workflowTaskPollerBehavior: { type: 'autoscaling' },
      activityTaskPollerBehavior: { type: 'autoscaling' },
    }),
    Worker.create({ ...common, taskQueue: hostQueue, maxConcurrentActivityTaskExecutions: concurrentWorkspaceActivities }),
    Worker.create({ ...common, taskQueue: landingQueueOf(hostQueue), maxConcurrentActivityTaskExecutions: concurrentLandings }),
  ]);
  const schedules = await keepSchedules(temporal, database.query, { hostId, hostQueue }, logger);
  const presence = announceWorker(databaseUrl, hostQueue, logger);
  const ledger = await startLedger(config, databaseUrl, git, logger);

  const stop = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const run = async (): Promise<void> => {
    try {
      await Promise.all(workers.map((worker) => worker.run().finally(stop)));
    } finally {
      schedules.stop();
      await presence.release();
      // After the last activity, so that what it wrote is sealed by the one who goes.
      await ledger.stop();
      await Promise.allSettled([connection.close(), temporal.connection.close(), database.close()]);
    }
  };
  return { done: run(), stop };
}
