/** What heals itself: declared things that break, the finding that is made of it, and the mission that the finding starts. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Finding } from '../../src/domain/finding-record.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { healingStages } from '../../src/domain/stages.ts';
import type { System } from './system.ts';

/** One subsystem, its one binding, and whatever else must be said about it: a scene of the healing demo has this shape. */
export interface World {
  id: string;
  subsystem: Record<string, unknown>;
  binding: Record<string, unknown>;
  metrics?: Record<string, unknown>;
  addresses?: string[];
}

export const quick = { cooldown_success_seconds: 0, cooldown_failure_seconds: 0, max_runs: 100 };
export const briefly = { duration_minutes: 0.05, interval_seconds: 1, initial_delay_seconds: 0, min_samples: 1, min_coverage: 0.3 };

/** Declares them all, and nothing else. */
export async function watch(system: System, worlds: World[]): Promise<void> {
  const folder = system.config.configFolder;
  const add = async (file: string, field: string, entries: object): Promise<void> => {
    const known = parse(await readFile(join(folder, file), 'utf8')) as Record<string, object>;
    await system.configure(file, stringify({ ...known, [field]: { ...known[field], ...entries } }));
  };
  const policy = parse(await readFile(join(folder, 'policy.yaml'), 'utf8')) as { egress: { allow: string[] } };
  policy.egress.allow.push(...worlds.flatMap(({ addresses = [] }) => addresses));
  await system.configure('policy.yaml', stringify(policy));
  await add('metrics_catalog.yaml', 'metrics', Object.assign({}, ...worlds.map(({ metrics = {} }) => metrics)) as object);
  await system.configure('playbooks.yaml', stringify({ playbooks: worlds.map(({ binding }) => binding) }));
  await add('subsystems.yaml', 'subsystems', Object.fromEntries(worlds.map(({ id, subsystem }) => [id, subsystem])));
}

/** The mission that a finding about the subsystem started. Nobody asked for it. */
export async function startedByItself(system: System, subsystem: string): Promise<{ finding: Finding; mission: MissionDetail }> {
  const finding = await system.until(async () => {
    const { items } = await system.reader.get<{ items: Finding[] }>(`/mission-control/findings?subsystem_id=${subsystem}`);
    return items.find((one) => one.healing_mission_id !== null);
  });
  return { finding, mission: await system.mission(finding.healing_mission_id!) };
}

export const endedByItself = async (system: System, subsystem: string): Promise<MissionDetail> =>
  system.whenEnded((await startedByItself(system, subsystem)).mission.mission_id);

export function expectHealed(mission: MissionDetail): void {
  expect(mission, mission.ended_reason ?? '').toMatchObject({ mission_type: 'healing', status: 'resolved', outcome: 'healed' });
  expect(mission.stages.map((stage) => [stage.name, stage.status])).toEqual(healingStages.map((name) => [name, 'passed']));
}

export function expectRefused(mission: MissionDetail, code: string): void {
  expect(mission.status).toBe('escalated');
  expect(mission.ended_reason).toContain(code);
  expect(mission.capa_id).not.toBeNull();
  expect(mission.stages.find((stage) => stage.name === 'execute')?.status).not.toBe('passed');
}
