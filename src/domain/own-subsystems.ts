/** Mission Control's own parts: always among the subsystems, whatever the configuration says. */

export interface OwnSubsystem {
  subsystem_id: string;
  name: string;
  depends_on: string[];
  /** Why nothing measures it; null where something does. */
  unmeasured: string | null;
}

const own = (subsystem_id: string, name: string, depends_on: string[] = [], unmeasured: string | null = null): OwnSubsystem =>
  ({ subsystem_id, name, depends_on, unmeasured });

export const ownSubsystems: readonly OwnSubsystem[] = [
  own('api', 'HTTP API', ['postgres']),
  own('worker', 'Worker', ['postgres', 'temporal']),
  own('temporal', 'Temporal'),
  own('postgres', 'PostgreSQL'),
  own('sealer', 'Ledger sealer', ['postgres']),
  own('event_stream', 'Live event stream', ['postgres']),
  own('artifact_store', 'Artefact store'),
  own('workspaces', 'Workspaces'),
  own('scheduler', 'Scheduler', ['temporal']),
  own('merge_queues', 'Merge queues', ['postgres', 'temporal']),
  own('metric_sources', 'Metric sources', ['postgres']),
  own('sandbox', 'Sandbox'),
  own('agents', 'Agents', [], 'agents do not report their health yet'),
  own('governance', 'Governance'),
];

export const isOwnSubsystem = (id: string): boolean => ownSubsystems.some((one) => one.subsystem_id === id);

/** How often our own parts are measured, and the name of the one probe that each has. */
export const ownIntervalSeconds = 15;
export const ownProbe = 'self';

/** Parts that the worker measures; the api measures those of the others that answer it directly. */
export const watchedOwnParts = ['worker', 'temporal', 'postgres', 'sealer', 'artifact_store', 'workspaces', 'scheduler', 'merge_queues', 'metric_sources', 'sandbox', 'governance'] as const;
export type WatchedOwnPart = (typeof watchedOwnParts)[number];
