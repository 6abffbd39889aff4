/** Commands of a repository: argv arrays, never shell strings, and how their report is read. */
import type { AskedLimits } from './limits.ts';

export const testReportFormats = ['junit', 'node_test', 'metrics_json'] as const;
export type ReportFormat = (typeof testReportFormats)[number];

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
