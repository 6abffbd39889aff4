/** A part of the watched world: how its health is measured, and what playbooks may work on. */
import type { Severity } from './mission.ts';

export const healthStates = ['healthy', 'degraded', 'unhealthy', 'unknown'] as const;
export type HealthState = (typeof healthStates)[number];

/** What every probe says, whatever it measures with. A failing probe is a symptom; `symptom` names its class. */
interface ProbeCommon {
  id: string;
  interval_seconds: number;
  timeout_seconds: number;
  /** How long it must fail before its finding fires. */
  for_seconds: number;
  /** How long it must be well again before its finding is resolved; twice the interval when it is not said. */
  keep_firing_for_seconds?: number | undefined;
  severity: Severity;
  /** Class of the symptom that playbooks match, such as `database_locked`; null when no playbook may act on it. */
  symptom: string | null;
  /** The resource of this subsystem that a failure is about. */
  resource: string | null;
}

export type Probe = ProbeCommon & (
  | { kind: 'http'; url: string; expect_status: number; degraded_ms?: number | undefined }
  | { kind: 'tcp'; host: string; port: number }
  /** `url_env` names an environment variable: a connection string with its password stands in no file. */
  | { kind: 'postgres'; url_env: string }
  | { kind: 'temporal' }
  | { kind: 'command'; argv: string[] }
  | { kind: 'metric'; metric_id: string }
  /** Every instance of the service `resource` runs. */
  | { kind: 'process' }
  /** A write to the SQLite file `resource` can begin, and what it holds can be read. */
  | { kind: 'sqlite' }
);

/** One process of a service. It is started by its argv when `restart` or `scale` asks for it. */
export interface ServiceInstance {
  id: string;
  pid_file: string;
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  /** Answers 200 once the instance can take work; without it, being alive must do. */
  ready_url: string | null;
  /** POSTed to before it is stopped, so that it takes no new work. */
  drain_url: string | null;
  /** Declared, and not running until `scale` starts it. */
  spare: boolean;
  /** Where a Node process listens for its inspector (`--inspect=127.0.0.1:PORT`); without it nobody can ask it to collect garbage. */
  inspector_port: number | null;
}

export type ServiceManager =
  | { kind: 'process'; instances: ServiceInstance[] }
  | { kind: 'systemd'; unit: string }
  | { kind: 'docker_compose'; file: string; service: string }
  | { kind: 'http'; restart_url: string; status_url: string };

export interface SqliteResource {
  kind: 'sqlite';
  path: string;
  /** Services (resource ids) that write to it: stopped before it is replaced, and asked to let go of a lock. */
  writers: string[];
  /** Folder with backups of it, whole files. */
  backups: string | null;
  /** Tables whose row counts a restore must not lose silently. */
  canary_tables: string[];
  /** Programs whose processes may be terminated for holding its lock: the first argument of their command line, whole. */
  allow_terminate: string[];
}

export interface PostgresResource {
  kind: 'postgres';
  url_env: string;
  /** `application_name`s whose backends may be cancelled, and terminated if that does not help. */
  allow_terminate: string[];
  /** Tables that ANALYZE may be run on. */
  analyze_tables: string[];
}

export interface ServiceResource {
  kind: 'service';
  manager: ServiceManager;
  stop_timeout_seconds: number;
  ready_timeout_seconds: number;
  /** Instances that must be ready before another one may be taken down. */
  min_healthy: number;
  /** Where caches may be cleared: POSTed to with `{"keys": […]}`. */
  cache_url: string | null;
  /** Metrics that tell how it does: the ids that high_latency and memory_leak measure before and after. */
  latency_metric: string | null;
  error_metric: string | null;
}

export interface PackagesResource {
  kind: 'packages';
  manager: 'npm' | 'pip';
  /** Project folder with the manifest and the lock file. */
  path: string;
  /** Loads the entry point; exit code 0 when every import is found. */
  check_argv: string[];
  /** Packages whose native parts may be rebuilt. */
  rebuild_allowed: string[];
}

export type Resource = SqliteResource | PostgresResource | ServiceResource | PackagesResource;
export type ResourceKind = Resource['kind'];

export interface Subsystem {
  subsystem_id: string;
  name: string;
  owner: string | null;
  depends_on: string[];
  probes: Probe[];
  resources: Record<string, Resource>;
}

/** What a lock is taken on: one name for one resource, whichever playbook wants it. */
export const resourceKey = (subsystemId: string, resourceId: string): string => `${subsystemId}/${resourceId}`;

/** The metric that a probe's results are stored under: 1 for well, 0 for failing. */
export const probeMetric = (subsystemId: string, probeId: string): string => `health.${subsystemId}.${probeId}`;

/** Ids of such metrics are ours: nobody else defines or pushes them. */
export const isProbeMetric = (metricId: string): boolean => metricId.startsWith('health.');
