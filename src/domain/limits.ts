/** What one run of a repository's command may use, and what it is called when it used it up. */

/** Of the whole run, unless it says otherwise. What a level cannot hold to is named in the run's evidence. */
export interface Limits {
  memory_mib: number;
  /** Processes and threads at one time. */
  processes: number;
  cpu_seconds: number;
  /** Of any one file that it writes. */
  file_mib: number;
  /** Of any one process. */
  open_files: number;
  /** What worktree, HOME and TMPDIR may hold together. */
  disk_mib: number;
  /** How many files and folders these may hold together. */
  files: number;
  /** Standard output and error together; what is kept of them is less. */
  output_mib: number;
}
export type LimitName = keyof Limits;
/** What is not named has its default. */
export type AskedLimits = { [name in LimitName]?: number | undefined };

/** Generous for a test suite, and little enough that one run cannot take a host down. */
export const defaultLimits: Limits = {
  memory_mib: 4_096, processes: 2_048, cpu_seconds: 14_400, file_mib: 4_096, open_files: 16_384,
  disk_mib: 20_480, files: 2_000_000, output_mib: 1_024,
};
export const limitNames = Object.keys(defaultLimits) as LimitName[];

/** A limit that a run came up against. */
export interface LimitHit {
  limit: LimitName;
  /**
   * `certain`: we or the kernel refused or ended something. `suspected`: only what the command printed says so, which
   * explains a failure and makes none.
   */
  evidence: 'certain' | 'suspected';
  /** One line: the limit, its value and how it showed. */
  detail: string;
}

/** What is asked for, else the default; never more than the policy's maximum. */
export function limitsOf(asked: AskedLimits | undefined, maximum: AskedLimits | undefined): Limits {
  return Object.fromEntries(limitNames.map((name) =>
    [name, Math.min(asked?.[name] ?? defaultLimits[name], maximum?.[name] ?? Infinity)])) as unknown as Limits;
}
