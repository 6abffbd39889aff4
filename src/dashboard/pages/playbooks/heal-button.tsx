import type { MissionDetail } from '../../../domain/mission-view.ts';
import { inPath, newIdempotencyKey, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { navigate } from '../../route.ts';
import type { PlaybookView } from './wire.ts';
import { riskWords } from './words.ts';

/** Starts a healing mission with one playbook on one resource, after naming what that means. */
export function HealButton({ subsystem, playbook, resource }: { subsystem: string; playbook: PlaybookView; resource: string }) {
  const { playbook_id: id, risk, symptoms } = playbook;
  async function run(reason: string): Promise<string> {
    const mission = await post<MissionDetail>(`/subsystems/${inPath(subsystem)}/heal`,
      { symptom: symptoms[0], resource, playbook: id, reason }, { 'idempotency-key': newIdempotencyKey() });
    navigate(`/missions/${inPath(mission.mission_id)}`);
    return `${mission.mission_id} heals ${subsystem}/${resource}`;
  }
  return (
    <ActionButton tone="danger" run={run} ask={{
      title: `Run ${id} on ${subsystem}/${resource}?`, verb: 'Run', reason: 'required', dangerous: true,
      effect: `A healing mission probes ${subsystem}/${resource} for ${symptoms[0]}, plans, and carries the plan out. Its risk is ${risk}: ${riskWords[risk]}. Look at the plan first to see its steps.`,
    }}>Run …</ActionButton>
  );
}
