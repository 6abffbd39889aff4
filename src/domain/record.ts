/** What the workflow asks to be written: state and events that belong together, in one transaction. */
import type { MissionContext, RemediationEvent } from './mission-package.ts';
import type { MissionState } from './mission-view.ts';
import type { NewEvent } from './event.ts';
import type { StageRecord } from './stages.ts';
import type { AgentWorkChange } from './agent-work.ts';
import type { ReportedDetails, ReportKey } from './tracked.ts';

/** Only what changed; a field that is absent keeps its value. */
export type StateChange = Partial<Omit<MissionState, 'updated_at'>>;

export interface MissionRecord {
  mission_id: string;
  /** Counts the workflow's records from 1. A record older than the last one written changes no state. */
  seq: number;
  state: StateChange;
  context?: MissionContext;
  remediation?: RemediationEvent[];
  stages: StageRecord[];
  events: NewEvent[];
  /** Of a tracked mission: what was reported since the record before, and the keys it came with. */
  report?: { details: ReportedDetails; keys: ReportKey[]; at: string };
  /** Of a mission in the queue for agents. */
  agent_work?: AgentWorkChange;
}
