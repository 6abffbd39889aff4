/** How far a repository's command is shut in: the ladder of levels, strongest first. */
import type { AskedLimits, Limits } from './limits.ts';

export const sandboxLevels = ['bwrap', 'unshare', 'prlimit', 'plain'] as const;
export type SandboxLevel = (typeof sandboxLevels)[number];

/** Whether the level is the wanted one or stronger. */
export const reaches = (level: SandboxLevel, wanted: SandboxLevel): boolean =>
  sandboxLevels.indexOf(level) <= sandboxLevels.indexOf(wanted);

/** Levels with namespaces of their own: the file system, the network and other processes are out of reach. */
export const isShutIn = (level: SandboxLevel): boolean => reaches(level, 'unshare');

/** The part of the policy that says how repositories' commands run. */
export interface SandboxPolicy {
  /** Below this level no repository's command runs: the mission waits for a person. */
  minimum: SandboxLevel;
  /** The strongest level that is used, where a repository's tools do not work in a stronger one. */
  strongest: SandboxLevel;
  /** What no repository may raise its limits above. */
  maximum: AskedLimits;
  /** Paths of this host that every command may read, or read and write, beside its own. */
  readable: string[];
  writable: string[];
}

/** What a run was shut in with: part of its evidence. */
export interface SandboxUsed {
  level: SandboxLevel;
  /** Whether it had this host's network. */
  network?: boolean;
  /** Absent where none are set: our own tools. */
  limits?: Limits;
  /** Who holds memory, processes and CPU time of the whole run to the limits: a control group, or rlimits for each process alone. */
  groups?: 'v2' | 'v1' | 'none';
  /** What this level does not keep the command from. */
  not_promised?: string[];
}
