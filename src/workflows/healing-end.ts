/** How a healing mission ends other than well: one CAPA for a symptom, and every stage that was not reached says why. */
import type { CapaSource } from '../domain/capa.ts';
import type { HealingPackage } from '../domain/mission-package.ts';
import type { StageName } from '../domain/stages.ts';
import { record } from './activities.ts';
import type { MissionEnd } from './end.ts';
import type { Mission } from './mission.ts';

/** One CAPA for a symptom, however often healing it comes to nothing. */
export async function escalate(mission: Mission<HealingPackage>, source: CapaSource, reason: string, outcome: 'failed' | 'ineffective'): Promise<MissionEnd> {
  const { mission_id, title, subsystem_id, healing } = mission.package;
  const capa = await record.openCapaOnce({
    key: `${mission_id}:${source}`, source, fingerprint: `healing:${healing.fingerprint}`, mission_id, subsystem_id,
    problem_statement: `${title}: ${reason}`.slice(0, 10_000), evidence: mission.stages.flatMap((stage) => stage.evidence).map((item) => item.sha256),
  });
  mission.change({ capa_id: capa });
  return { status: 'escalated', outcome, reason };
}

/** Stages that are not reached say why. */
export function skipRest(mission: Mission<HealingPackage>, from: StageName, end: MissionEnd): MissionEnd {
  const rest: StageName[] = ['execute', 'verify', 'observe', 'close_or_escalate'];
  for (const name of rest.slice(rest.indexOf(from))) {
    if (!mission.stages.some((stage) => stage.name === name)) mission.skip(name, end.reason);
  }
  return end;
}
