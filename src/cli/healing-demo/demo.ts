/**
 * `npm run demo:healing`: a small leaky service, an SQLite file with a stuck writer and a program with a missing dependency,
 * broken one after another and healed live: detected by probes, planned, carried out, verified, watched and closed.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { readConfig } from '../../config.ts';
import type { Finding } from '../../domain/finding-record.ts';
import type { HealingPlan } from '../../domain/healing.ts';
import type { MissionDetail } from '../../domain/mission-view.ts';
import { isTerminal } from '../../domain/mission.ts';
import type { StageRecord } from '../../domain/stages.ts';
import { createClient, type ApiClient } from '../client.ts';
import type { RunFile } from '../launcher/main.ts';
import { leakyService } from './leaky-service.ts';
import { missingPackage } from './missing-package.ts';
import type { Scene } from './scene.ts';
import { stuckWriter } from './stuck-writer.ts';

const lookMs = 200;
const patienceMs = 120_000;

export interface HealingDemo {
  /** @throws Error when something is not healed */
  run(system: RunFile, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Makes the small world and a configuration that watches it; from then on this process's configuration folder is that one. */
export async function prepareHealingDemo(): Promise<HealingDemo> {
  const { home, configFolder } = readConfig();
  const folder = join(home, 'healing-demo');
  await rm(folder, { recursive: true, force: true });
  const scenes = [
    await stuckWriter(join(folder, 'orders')), await missingPackage(join(folder, 'greetings')), await leakyService(join(folder, 'web')),
  ];
  const config = join(folder, 'config');
  await mkdir(config, { recursive: true });
  await cp(configFolder, config, { recursive: true });
  await addTo(join(config, 'subsystems.yaml'), 'subsystems', Object.fromEntries(scenes.map(({ id, subsystem }) => [id, subsystem])));
  await addTo(join(config, 'metrics_catalog.yaml'), 'metrics', Object.assign({}, ...scenes.map(({ metrics }) => metrics)) as object);
  await writeFile(join(config, 'playbooks.yaml'), stringify({ playbooks: scenes.map(({ binding }) => binding) }));
  const policy = parse(await readFile(join(config, 'policy.yaml'), 'utf8')) as { egress: { allow: string[] } };
  policy.egress.allow.push(...scenes.flatMap(({ addresses }) => addresses));
  await writeFile(join(config, 'policy.yaml'), stringify(policy));
  process.env['MISSION_CONTROL_CONFIG'] = config;

  return {
    async run(system, signal) {
      const client = createClient(system.api_url, (await readFile(join(home, 'admin.key'), 'utf8')).trim());
      for (const scene of scenes) await heal(scene, client, signal);
      console.log(`\nAll ${scenes.length} are healed. What was declared for it: ${config}`);
    },
    async stop() { await Promise.all(scenes.map((scene) => scene.stop())); },
  };
}

async function addTo(file: string, field: string, entries: object): Promise<void> {
  const known = parse(await readFile(file, 'utf8')) as Record<string, object>;
  await writeFile(file, stringify({ ...known, [field]: { ...known[field], ...entries } }));
}

async function heal(scene: Scene, client: ApiClient, signal: AbortSignal): Promise<void> {
  console.log(`\n${scene.id}: ${scene.about}`);
  console.log(`  before  ${await scene.use()}`);
  console.log(`  break   ${await scene.breakIt()}`);
  const broken = Date.now();
  const finding = await until(signal, async () => {
    const { items } = await client.get<{ items: Finding[] }>(`/mission-control/findings?subsystem_id=${scene.id}&open=true`);
    return items.find((one) => one.state === 'FIRING' && one.healing_mission_id !== null);
  });
  console.log(`  found   ${seconds(broken)}  ${finding.symptom}: ${firstLine(finding.reason)}`);
  const id = finding.healing_mission_id!;
  const shown = new Set<string>();
  const mission = await until(signal, async () => {
    const now = await client.get<MissionDetail>(`/mission-control/missions/${id}`);
    const { items } = await client.get<{ items: StageRecord[] }>(`/mission-control/missions/${id}/stages`);
    for (const stage of items) await show(stage, client, shown, broken);
    return isTerminal(now.status) ? now : undefined;
  });
  if (mission.outcome !== 'healed') throw new Error(`${scene.id} was not healed: ${mission.ended_reason}`);
  console.log(`  after   ${await scene.use()}  (${id}, ${seconds(broken)})`);
}

async function show(stage: StageRecord, client: ApiClient, shown: Set<string>, since: number): Promise<void> {
  const key = `${stage.name}:${stage.attempt}`;
  if (stage.ended_at === null || shown.has(key)) return;
  shown.add(key);
  console.log(`  ${stage.status.padEnd(7)} ${seconds(since)}  ${stage.name}${stage.reason === null ? '' : `: ${firstLine(stage.reason)}`}`);
  const plan = stage.evidence.find((item) => item.kind === 'healing_plan');
  if (plan !== undefined) {
    const { steps } = await client.get<HealingPlan>(`/mission-control/artifacts/${plan.sha256}`);
    for (const step of steps) console.log(`                     ${step.action}: ${step.effect}`);
  }
  const checks = stage.evidence.find((item) => item.kind === 'verification');
  if (checks !== undefined) console.log(`                     ${checks.summary.replaceAll('; ', '\n                     ')}`);
}

async function until<T>(signal: AbortSignal, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`nothing happened for ${patienceMs / 1_000} s`);
    await new Promise((resolve) => { setTimeout(resolve, lookMs); });
  }
}

const seconds = (since: number): string => `${((Date.now() - since) / 1_000).toFixed(1)} s`.padStart(7);
const firstLine = (text: string): string => text.split('\n')[0]!.slice(0, 200);
