/** `kill -9` in every stage of healing: the mission ends as if nothing had happened, and each effect is there once. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { healingStages, type StageRecord } from '../../src/domain/stages.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { projectRoot } from '../../src/project.ts';
import { eventually, identities, killHard, launch, missionEnd, restarted, stopLaunched, type Launched, type Part } from '../support/launched.ts';
import { temporaryFolder } from '../support/repository.ts';

let system: Launched;
let config: string;
const home = temporaryFolder();

beforeAll(async () => {
  config = join(home, 'config');
  await cp(join(projectRoot, 'config'), config, { recursive: true });
  system = await launch(home, [], { MISSION_CONTROL_CONFIG: config });
}, 180_000);
afterAll(() => stopLaunched(system), 30_000);

/** A command that notes when it begins, waits for its door, then does what it is for. */
const gated = (folder: string, name: string, then: string): string[] => [process.execPath, '-e', `
  const fs = require('node:fs');
  const at = (name) => ${JSON.stringify(folder)} + '/' + name;
  fs.appendFileSync(at('${name}.begun'), '.');
  const look = () => (fs.existsSync(at('${name}.door')) ? (() => { ${then} })() : setTimeout(look, 20));
  look();`];

interface Break { folder: string; subsystem: string; open: (name: string) => void; begun: (name: string) => Promise<void>; effects: () => string }

function breakSomething(name: string, observeSeconds = 0.3): Break {
  const folder = join(home, 'work', name);
  mkdirSync(folder, { recursive: true });
  const file = (part: string): string => join(folder, part);
  const bound = {
    playbook: 'run_command', subsystem: name, resource: 'web',
    params: {
      cwd: folder, repeatable: true,
      check_argv: gated(folder, 'plan', "process.exit(fs.existsSync(at('mended')) ? 0 : 1)"),
      argv: gated(folder, 'execute', "fs.appendFileSync(at('effects'), 'x'); fs.writeFileSync(at('mended'), '')"),
      independent_argv: gated(folder, 'verify', ''), regress_argv: ['true'],
    },
    observe: { duration_minutes: observeSeconds / 60, metrics: 'none', reason: 'a fault test' },
  };
  writeFileSync(join(config, 'subsystems.yaml'), stringify({ subsystems: { [name]: { name, resources: { web: {
    kind: 'service', manager: { kind: 'process', instances: [{ id: 'web1', pid_file: file('web1.pid'), argv: ['sleep', '1'], cwd: folder }] },
  } } } } }));
  writeFileSync(join(config, 'playbooks.yaml'), stringify({ playbooks: [bound] }));
  return {
    folder, subsystem: name, open: (door) => writeFileSync(file(`${door}.door`), ''),
    begun: async (door) => { await eventually(() => existsSync(file(`${door}.begun`))); },
    effects: () => readFileSync(file('effects'), 'utf8'),
  };
}

const heal = (subsystem: string): Promise<MissionDetail> => system.api().post<MissionDetail>(
  `/mission-control/subsystems/${subsystem}/heal`, { symptom: 'needs_command', resource: 'web', reason: 'a fault test' });

async function expectHealedOnce(mission: MissionDetail, { effects }: Break): Promise<void> {
  expect(mission, mission.ended_reason ?? '').toMatchObject({ status: 'resolved', outcome: 'healed' });
  expect(effects()).toBe('x');
  const { items } = await system.api().get<{ items: StageRecord[] }>(`/mission-control/missions/${mission.mission_id}/stages`);
  expect(items).toHaveLength(healingStages.length);
  expect(items.map((stage) => [stage.name, stage.attempt, stage.status])).toEqual(expect.arrayContaining(healingStages.map((name) => [name, 1, 'passed'])));
  const { items: runs } = await system.api().get<{ items: { mission_id: string; outcome: string }[] }>('/mission-control/playbooks/run_command/runs');
  expect(runs.filter((run) => run.mission_id === mission.mission_id).map((run) => run.outcome)).toEqual(['effective']);
}

const parts: Part[] = ['worker', 'temporal', 'postgres'];
const gates = ['plan', 'execute', 'verify'] as const;

test.each(parts.flatMap((part) => gates.map((stage) => [part, stage] as const)))('%s killed while it is in %s', async (part, stage) => {
  const broken = breakSomething(`${part}-${stage}`);
  const mission = await heal(broken.subsystem);
  for (const gate of gates.slice(0, gates.indexOf(stage))) broken.open(gate);
  await broken.begun(stage);
  const before = identities(system)[part];
  await killHard(before);
  await restarted(system, part, before);
  for (const gate of gates) broken.open(gate);
  await expectHealedOnce(await missionEnd(system, mission.mission_id), broken);
}, 90_000);

test.each(parts)('%s killed while the healed system is watched', async (part) => {
  const broken = breakSomething(`${part}-observe`, 3);
  for (const gate of gates) broken.open(gate);
  const mission = await heal(broken.subsystem);
  await eventually(async () => (await system.api().get<MissionDetail>(`/mission-control/missions/${mission.mission_id}`)).status === 'observing');
  const before = identities(system)[part];
  await killHard(before);
  await restarted(system, part, before);
  await expectHealedOnce(await missionEnd(system, mission.mission_id), broken);
}, 90_000);
