/** Commands of a repository: argv arrays, never shell strings, and how their report is read. */
import type { AskedLimits } from './limits.ts';

export const testReportFormats = [
  'junit', 'tap', 'go_test_json', 'node_test', 'vitest_json', 'jest_json', 'pytest_junit', 'metrics_json',
  /** What `cargo test` prints for people: its JSON is not stable. */
  'cargo_test',
  /** Whatever the runners that we know how to ask wrote; else what standard output itself is. */
  'auto',
] as const;
export type ReportFormat = (typeof testReportFormats)[number];

/** Formats that need no place: we ask the runner, and say where it shall write. */
export const askedFormats: readonly ReportFormat[] = ['node_test', 'vitest_json', 'jest_json', 'pytest_junit', 'auto'];

export interface ReportSource {
  format: ReportFormat;
  /** Glob inside the worktree; read after the command ended. */
  path?: string | undefined;
  from?: 'stdout' | undefined;
}

export interface CommandSpec {
  argv: string[];
  timeout_seconds: number;
  network: boolean;
  report?: ReportSource | undefined;
  limits?: AskedLimits | undefined;
  /** Of a stress command only. */
  http_load?: HttpLoad | undefined;
  /** Further steps of a setup, one after the other. */
  next?: SetupStep[] | undefined;
}

/** Load on a service: the command is the service, it listens on 127.0.0.1 at the port in its variable PORT. */
export interface HttpLoad {
  /** What is asked for: a path with its query. */
  path: string;
  connections: number;
  duration_seconds: number;
  /** Loaded this long beforehand, unmeasured. */
  warm_up_seconds: number;
  ready_timeout_seconds: number;
}

export interface SetupStep {
  argv: string[];
  timeout_seconds: number;
  network: boolean;
  /** Its failure is logged and the next step taken: whether it mattered, the tests will tell. */
  may_fail?: boolean | undefined;
  limits?: AskedLimits | undefined;
}

/** A limit on a stress figure: absolute, or as a ratio to the base commit's figure of the same run. */
export interface StressThreshold {
  metric: string;
  max?: number | undefined;
  min?: number | undefined;
  max_ratio_to_base?: number | undefined;
}

export interface RepositorySettings {
  commands: { setup?: CommandSpec | undefined; test?: CommandSpec | undefined; stress?: CommandSpec | undefined };
  stress_thresholds: StressThreshold[];
  protected_paths: string[];
  /** For every command that does not say otherwise. */
  limits?: AskedLimits | undefined;
}
