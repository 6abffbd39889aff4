/** Missions and the sandbox: a level that the policy wants and the host lacks, limits as results, and what a hostile test gets. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { projectRoot } from '../../src/project.ts';
import { calculator, fixedAdd, temporaryFolder } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
const path = process.env['PATH'];
const brokenTools = temporaryFolder();
beforeAll(async () => {
  // A host on which namespaces are refused, whatever is installed.
  for (const name of ['bwrap', 'unshare']) writeFileSync(join(brokenTools, name), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  process.env['PATH'] = `${brokenTools}:${path}`;
  system = await startSystem();
});
afterAll(async () => {
  process.env['PATH'] = path;
  rmSync(brokenTools, { recursive: true });
  await system.stop();
});

const shipped = (): string => readFileSync(join(projectRoot, 'config', 'policy.yaml'), 'utf8');
const steer = async (id: string, verb: string): Promise<unknown> => (await system.as('operator', 'operator')).post(`/mission-control/missions/${id}/${verb}`, {});
async function testRun(mission: MissionDetail, kind = 'test_run'): Promise<{ sandbox: { level: string; network: boolean; limits: Record<string, number>; not_promised: string[] }; limit?: { limit: string } }> {
  const { sha256 } = system.stage(mission, 'run_tests').evidence.find((item) => item.kind === kind)!;
  return JSON.parse((await system.artifacts.read(sha256)).toString('utf8')) as Awaited<ReturnType<typeof testRun>>;
}
const printing = (mib: number): Record<string, string> => ({ 'test/loud.test.js': `import test from 'node:test';\ntest('is loud', () => { process.stdout.write('x'.repeat(${mib} << 20)); });\n` });
const limited = { '.mission-control.yaml': 'limits: {output_mib: 1, open_files: 500}\n' };

test('a level that the policy wants and the host lacks: no command runs, the mission waits for a person, the api takes no more', async () => {
  await system.configure('policy.yaml', shipped().replace('minimum: plain', 'minimum: unshare'));
  const repository = system.repository(calculator);
  // No worker has told yet what its host can do.
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)]);
  const later = await system.send(repository, [repository.diff(fixedAdd)], { execute: false });
  await system.startWorker();
  const parked = await system.whenWaiting(mission_id, 'operator');
  expect(parked).toMatchObject({ stage: 'run_tests', waiting_on: { reason: expect.stringMatching(/SANDBOX_UNAVAILABLE.*level unshare or stronger.*gives prlimit/s) as string } });

  await system.until(async () => (await system.db.database.query<{ state: string }>("SELECT state FROM subsystem_health WHERE subsystem_id = 'sandbox'"))[0]?.state === 'unhealthy');
  const refused = { status: 503, code: 'SANDBOX_UNAVAILABLE', message: expect.stringContaining('level prlimit') as string };
  await expect(steer(later.mission_id, 'execute')).rejects.toMatchObject(refused);
  await expect(system.send(repository, [repository.diff(fixedAdd)])).rejects.toMatchObject(refused);
  const { items } = await system.reader.get<{ items: { id: string; state: string; probes: { reason: string }[] }[] }>('/mission-control/subsystems');
  expect(items.find((one) => one.id === 'sandbox')).toMatchObject({ state: 'unhealthy', probes: [{ reason: expect.stringContaining('the policy wants unshare') as string }] });

  await system.configure('policy.yaml', shipped());
  await steer(mission_id, 'retry');
  const landed = await system.whenEnded(mission_id);
  expect(landed).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect((await testRun(landed)).sandbox).toMatchObject({
    level: 'prlimit', network: false, limits: { memory_mib: 4_096, open_files: 16_384 }, not_promised: expect.arrayContaining([expect.stringContaining('file system')]) as string[],
  });
});

test('a candidate that comes up against a limit failed for its own reasons, and the limit is named; on the base it is said too', async () => {
  const quiet = system.repository({ ...calculator, ...limited });
  const loud = system.repository({ ...calculator, ...limited, ...printing(3) });
  const [one, two] = await Promise.all([
    system.send(quiet, [quiet.diff({ ...fixedAdd, ...printing(3) })]), system.send(loud, [loud.diff(fixedAdd)]),
  ]);
  const [own, both] = [await system.whenEnded(one.mission_id), await system.whenEnded(two.mission_id)];
  expect(own.status).toBe('escalated');
  expect(system.stage(own, 'run_tests').reason).toContain('RESOURCE_LIMIT: output_mib 1');
  expect(system.stage(own, 'run_tests').reason).not.toContain('on the base too');
  expect((await testRun(own))).toMatchObject({ limit: { limit: 'output_mib' }, sandbox: { limits: { output_mib: 1, open_files: 500 } } });
  expect((await testRun(own, 'base_test_run')).limit).toBeUndefined();
  expect(system.stage(both, 'run_tests').reason).toMatch(/RESOURCE_LIMIT: output_mib 1.*RESOURCE_LIMIT on the base too: output_mib 1/s);
});

test('under the policy as shipped a hostile test is shut in as far as this host can, and what it tries is in vain', async () => {
  await system.stopWorker();
  process.env['PATH'] = path;
  await system.startWorker();
  const key = join(system.home, 'keys', 'pepper');
  const outside = join(system.home, 'taken');
  mkdirSync(outside);
  chmodSync(outside, 0o777);
  const hostile = {
    'test/hostile.test.js': [
      "import assert from 'node:assert/strict';", "import test from 'node:test';", "import { readFileSync, writeFileSync } from 'node:fs';",
      `test('steals', () => { writeFileSync(${JSON.stringify(join(outside, 'key'))}, readFileSync(${JSON.stringify(key)})); });`,
      `test('calls', async () => { await fetch(${JSON.stringify(`${system.url}/health/live`)}); });`, '',
    ].join('\n'),
  };
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await system.send(repository, [repository.diff({ ...fixedAdd, ...hostile })])).mission_id);
  const { sandbox } = await testRun(mission);
  if (sandbox.level !== 'bwrap' && sandbox.level !== 'unshare') return expect(sandbox.not_promised).not.toEqual([]);
  expect(existsSync(join(outside, 'key'))).toBe(false);
  expect(mission.status).toBe('escalated');
  expect(system.stage(mission, 'run_tests').reason).toMatch(/new failing test: .*steals.*new failing test: .*calls/s);
});
