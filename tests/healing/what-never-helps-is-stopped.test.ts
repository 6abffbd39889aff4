/** Healing that goes wrong stops by itself: an effect that brings its own symptom back, and a symptom that comes and goes. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Finding } from '../../src/domain/finding-record.ts';
import type { MissionSummary } from '../../src/domain/mission-view.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let folder: string;
const node = (script: string): string[] => [process.execPath, '-e', `const fs = require('fs'); ${script}`];

beforeAll(async () => {
  system = await startSystem();
  folder = join(system.home, 'shop');
  mkdirSync(folder);
  const file = (name: string): string => JSON.stringify(join(folder, name));
  const service = { kind: 'service', manager: { kind: 'process', instances: [{ id: 'web1', pid_file: join(folder, 'web.pid'), argv: ['true'], cwd: folder }] } };
  const subsystem = (id: string, argv: string[]) => ({
    name: id, resources: { web: service },
    probes: [{ id: 'look', kind: 'command', argv, interval_seconds: 1, keep_firing_for_seconds: 0, symptom: 'needs_command', resource: 'web' }],
  });
  await system.configure('subsystems.yaml', stringify({ subsystems: {
    // Well for eight looks after each healing: being mended is what breaks it again.
    relapsing: subsystem('relapsing', node(`const left = fs.existsSync(${file('left')}) ? Number(fs.readFileSync(${file('left')}, 'utf8')) : 0;
      fs.writeFileSync(${file('left')}, String(Math.max(0, left - 1))); process.exit(left > 0 ? 0 : 1)`)),
    // Well and ill by turns.
    flapping: subsystem('flapping', node(`const ill = fs.existsSync(${file('ill')}); if (ill) fs.rmSync(${file('ill')}); else fs.writeFileSync(${file('ill')}, ''); process.exit(ill ? 1 : 0)`)),
  } }));
  const binding = (name: string) => ({
    playbook: 'run_command', subsystem: name, resource: 'web',
    params: {
      cwd: folder, argv: node(`fs.appendFileSync(${file(`${name}.effects`)}, 'x'); fs.writeFileSync(${file('left')}, '8')`),
      check_argv: node(`process.exit(${JSON.stringify(name)} === 'relapsing' && Number(fs.readFileSync(${file('left')}, 'utf8')) > 0 ? 0 : 1)`),
      independent_argv: ['true'], regress_argv: ['true'],
    },
    limits: { cooldown_success_seconds: 0, cooldown_failure_seconds: 0, max_runs: 100 },
    observe: { duration_minutes: 0.03, interval_seconds: 0.5, initial_delay_seconds: 0.2, min_samples: 1, min_coverage: 0.2, metrics: 'none', reason: 'a test of limits' },
  });
  await system.configure('playbooks.yaml', stringify({ playbooks: [binding('relapsing'), binding('flapping')] }));
  await system.startWorker();
}, 90_000);
afterAll(() => system.stop());

const effects = (name: string): string => (existsSync(join(folder, `${name}.effects`)) ? readFileSync(join(folder, `${name}.effects`), 'utf8') : '');
const findings = async (subsystem: string): Promise<Finding[]> =>
  (await system.reader.get<{ items: Finding[] }>(`/mission-control/findings?subsystem_id=${subsystem}`)).items;
const missions = async (subsystem: string): Promise<MissionSummary[]> =>
  (await system.reader.get<{ items: MissionSummary[] }>(`/mission-control/missions?subsystem_id=${subsystem}&mission_type=healing`)).items;

test('an effect that brings its own symptom back: three runs, then quarantine and one CAPA', async () => {
  const last = await system.until(async () => (await missions('relapsing')).find((mission) => mission.ended_reason?.includes('QUARANTINED')));
  expect(last).toMatchObject({ status: 'escalated' });
  expect(effects('relapsing')).toBe('xxx');
  const runs = await system.db.database.query<{ outcome: string }>("SELECT outcome FROM healing_runs WHERE subsystem_id = 'relapsing'");
  expect(runs.map((run) => run.outcome)).toEqual(['ineffective', 'ineffective', 'ineffective']);
  // One record for one symptom, whichever run of it on a busy machine was the first that a person had to see.
  expect(await system.db.database.query("SELECT 1 FROM capas WHERE subsystem_id = 'relapsing'")).toHaveLength(1);
  expect(await system.db.database.query("SELECT 1 FROM events WHERE type = 'playbook.quarantined'")).toHaveLength(1);
  // It goes on being ill, and nothing more is done about it.
  const seen = (await findings('relapsing'))[0]!.occurrences;
  await system.until(async () => (await findings('relapsing'))[0]!.occurrences > seen + 2);
  expect(effects('relapsing')).toBe('xxx');
}, 150_000);

test('a symptom that comes and goes is flapping, and gets no effects', async () => {
  const finding = await system.until(async () => (await findings('flapping')).find((one) => one.state === 'FLAPPING'));
  expect(finding.rule_id).toBe('probe:flapping.look');
  const before = effects('flapping');
  const count = (await missions('flapping')).length;
  const evaluations = async (): Promise<number> =>
    (await system.db.database.query<{ n: number }>("SELECT count(*) AS n FROM metric_samples WHERE metric_id = 'health.flapping.look'"))[0]!.n;
  const now = await evaluations();
  await system.until(async () => (await evaluations()) > now + 5);
  expect(effects('flapping')).toBe(before);
  expect(await missions('flapping')).toHaveLength(count);
}, 90_000);
