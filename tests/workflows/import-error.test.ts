import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { makeNpmProject } from '../support/packages.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let npm: Awaited<ReturnType<typeof makeNpmProject>>;

beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  npm = await makeNpmProject();
  await system.configure('playbooks.yaml', stringify({ playbooks: ['app', 'unallowed'].map((resource) => ({
    playbook: 'import_error', subsystem: 'shop', resource, observe: { duration_minutes: 0.005, metrics: 'none', reason: 'a test of the playbook' },
    limits: { cooldown_success_seconds: 0, cooldown_failure_seconds: 0, max_runs: 100 },
  })) }));
  await system.configure('subsystems.yaml', stringify({ subsystems: { shop: { name: 'The shop', resources: {
    app: npm.declared, unallowed: { ...npm.declared, rebuild_allowed: [] },
  } } } }));
});
afterAll(async () => {
  await system.stop();
  await npm.close();
});

const heal = async (resource: string) => system.whenEnded((await system.heal('shop', { symptom: 'import_error', resource })).mission_id);

test('a missing package is put back and the mission is resolved', async () => {
  npm.remove('left');
  const ended = await heal('app');
  expect(ended, ended.ended_reason ?? '').toMatchObject({ status: 'resolved', outcome: 'healed' });
  expect(existsSync(npm.module('left', 'index.js'))).toBe(true);
}, 90_000);

test('an install that costs another package its compiled part is taken back, and the mission is escalated', async () => {
  npm.remove('left');
  const was = statSync(npm.module()).ino;
  const ended = await heal('unallowed');
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'ineffective' });
  expect(statSync(npm.module()).ino).toBe(was);
  expect(existsSync(npm.module('addon', 'addon.node'))).toBe(true);
}, 90_000);

test('a package that nobody declared is never installed: the registry is not even asked, and a person is told', async () => {
  writeFileSync(join(npm.project, 'main.js'), "require('never-declared');\n");
  const asked = npm.registry.asked.length;
  const ended = await heal('app');
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'failed' });
  expect(ended.ended_reason).toContain('UNDECLARED_PACKAGE');
  expect(ended.ended_reason).toContain('never-declared');
  expect(await system.capa(ended.capa_id!)).toMatchObject({ source: 'healing_escalation' });
  expect(system.stage(ended, 'execute')).toMatchObject({ status: 'skipped' });
  expect(npm.registry.asked).toHaveLength(asked);
  expect(existsSync(npm.module('never-declared'))).toBe(false);
}, 90_000);
