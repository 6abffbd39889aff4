/** What a mission is and how its status may change. Questions about a status have names here. */

export const missionTypes = ['coding', 'healing', 'tracked'] as const;
export type MissionType = (typeof missionTypes)[number];

export const severities = ['critical', 'high', 'medium', 'low'] as const;
export type Severity = (typeof severities)[number];

/** 0 is the most urgent. The order of the merge queue and of `queue/next`. */
export const severityRank = (severity: Severity): number => severities.indexOf(severity);

export const missionStatuses = ['open', 'in_progress', 'observing', 'resolved', 'escalated', 'aborted'] as const;
export type MissionStatus = (typeof missionStatuses)[number];

export const missionOutcomes = [
  'landed', 'rolled_back', 'healed', 'ineffective', 'rejected', 'completed', 'failed', 'cancelled',
] as const;
export type MissionOutcome = (typeof missionOutcomes)[number];

/** Every allowed change of status. What is not here does not happen. */
export const missionTransitions: Readonly<Record<MissionStatus, readonly MissionStatus[]>> = {
  open: ['in_progress', 'aborted'],
  in_progress: ['observing', 'resolved', 'escalated', 'aborted'],
  observing: ['resolved', 'escalated', 'aborted'],
  resolved: [],
  escalated: [],
  aborted: [],
};

/** Terminal missions accept no message and hold no resource. */
export const isTerminal = (status: MissionStatus): boolean => missionTransitions[status].length === 0;

export const canBecome = (from: MissionStatus, to: MissionStatus): boolean =>
  from === to || missionTransitions[from].includes(to);

/** Statuses from which the given one can be reached in one step, itself included (a repeat is no change). */
export const mayPrecede = (to: MissionStatus): MissionStatus[] =>
  missionStatuses.filter((from) => canBecome(from, to));

const missionIdPattern = /^mission_\d{8}_\d{3,}$/;
export const isMissionId = (text: string): boolean => missionIdPattern.test(text);

/**
 * `mission_YYYYMMDD_NNN`. NNN counts from 001 within the UTC day and may grow past 999, so ids never sort as text.
 * @param day UTC day as `YYYYMMDD`
 */
export const missionId = (day: string, number: number): string => `mission_${day}_${String(number).padStart(3, '0')}`;

/** `YYYYMMDD` of the UTC day. */
export const utcDay = (at: Date): string => at.toISOString().slice(0, 10).replaceAll('-', '');
