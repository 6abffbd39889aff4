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

/** What a run may have had although nobody meant it to: said in its evidence, so that nothing is taken for kept out that was not. */
export function notPromised(level: SandboxLevel, has: { network: boolean; groups: boolean; processes: boolean }): string[] {
  return [
    ...(isShutIn(level) ? [] : [
      'the file system outside of the worktree can be read and written as the worker can',
      'other processes of this user can be seen and signalled',
      'a process that leaves its group and its environment behind may outlive the run',
    ]),
    ...(isShutIn(level) && !has.network ? [] : ['this host\'s network, its loopback included, can be reached']),
    ...(has.groups ? [] : ['memory and CPU time are limited for each process alone, not for the run']),
    ...(level === 'plain' ? ['file size and open files are not limited'] : []),
    ...(has.processes ? [] : ['the number of processes is not limited']),
  ];
}
