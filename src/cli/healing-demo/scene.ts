/** A part of the small world that the healing demo breaks: what it is, how it breaks, and how one sees that it is well. */
export interface Scene {
  /** Its subsystem. */
  id: string;
  /** What it is, in a sentence. */
  about: string;
  /** What stands in `subsystems.yaml`, `playbooks.yaml` and `metrics_catalog.yaml` for it. */
  subsystem: Record<string, unknown>;
  binding: Record<string, unknown>;
  metrics: Record<string, unknown>;
  /** Local addresses that may be asked. */
  addresses: string[];
  /** Breaks it, and says how. */
  breakIt(): Promise<string>;
  /** Uses it as its users would, and says what happened. @throws Error when it does not work */
  use(): Promise<string>;
  stop(): Promise<void>;
}

/** Short and unwatched by people: a demo is over in a minute. */
export const quickLimits = { cooldown_success_seconds: 0, cooldown_failure_seconds: 0 };
export const quickWindow = { duration_minutes: 0.1, interval_seconds: 1, initial_delay_seconds: 1, min_samples: 2, min_coverage: 0.4 };
