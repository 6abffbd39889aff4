/** Starts a mission's workflow. Its id is the mission's, so a second start is the same mission. */
import type { Client } from '@temporalio/client';
import { severityRank, type MissionType } from '../domain/mission.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import { taskQueue } from './client.ts';

const workflowOf: Readonly<Record<MissionType, string>> = { coding: 'codingMission', healing: 'healingMission', tracked: 'trackedMission' };

/** @throws WorkflowExecutionAlreadyStartedError when it ran, or runs already */
export async function startMission(temporal: Client, mission: MissionPackage): Promise<void> {
  await temporal.workflow.start(workflowOf[mission.mission_type], {
    workflowId: mission.mission_id,
    taskQueue,
    args: [{ package: mission }],
    // A worker killed in the middle of a workflow task is noticed after this; the default is 10 s.
    workflowTaskTimeout: '3s',
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'FAIL',
    staticSummary: mission.title,
    staticDetails: `${mission.subsystem_id}, severity ${mission.severity}, sent by ${mission.created_by}`,
    memo: { subsystem_id: mission.subsystem_id, severity: mission.severity },
    priority: { priorityKey: severityRank(mission.severity) + 1 },
  });
}
