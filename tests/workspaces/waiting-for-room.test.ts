import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { StageRecord } from '../../src/domain/stages.ts';
import { tool } from '../cli/tool.ts';
import { makeGate, type Gate } from '../support/launched.ts';
import { calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

let n = 0;
async function gated(): Promise<{ repository: TestRepository; gate: Gate }> {
  n += 1;
  const gate = await makeGate(join(system.home, 'gates', String(n)));
  return { gate, repository: system.repository({ ...calculator, 'test/gate.test.js': gate.source }) };
}
/** A mission that does not touch what the gate looks at. */
const harmless = (repository: TestRepository, file: string): Promise<MissionDetail> => system.send(repository, [repository.diff({ [file]: '// new\n' })], {
  acceptance_criteria: { ...missionBody(repository, [])['acceptance_criteria'] as object, must_pass_tests: ['is here'] },
});
const attempts = async (id: string): Promise<number[]> =>
  (await system.reader.get<{ items: StageRecord[] }>(`/mission-control/missions/${id}/stages`)).items.map(({ attempt }) => attempt);
const waits = async (id: string): Promise<number> => (await system.db.database.query(`SELECT 1 FROM events WHERE mission_id = $1 AND type = 'mission.waiting'`, [id])).length;

test('with every worktree in use a mission waits and says so, takes its turn, and none of its stages failed for it', async () => {
  await system.configure('workspaces.yaml', 'slots_per_repository: 1\n');
  const { repository, gate } = await gated();
  const first = await system.send(repository, [repository.diff(fixedAdd)]);
  await gate.begun(1);
  const second = await harmless(repository, 'second.js');
  const waiting = await system.whenWaiting(second.mission_id, 'resource');
  expect(waiting.waiting_on).toMatchObject({ reason: expect.stringMatching(/^WORKSPACE_BUSY: all 1 worktrees/) as string, who: expect.stringContaining('first come') as string, deadline: null });
  expect(system.stage(waiting, 'pull_code').status).toBe('waiting');
  const third = await harmless(repository, 'third.js');
  await system.whenWaiting(third.mission_id, 'resource');
  const { items: [host] } = await system.reader.get<{ items: { waiting: { holder: string }[] }[] }>('/mission-control/workspaces');
  expect(host!.waiting.map(({ holder }) => holder)).toEqual([second.mission_id, third.mission_id]);
  const { authorization } = await system.headers('operator', 'operator');
  const listed = await tool(['workspace', 'list'], { url: system.url, key: authorization.slice('Bearer '.length) });
  expect(listed.code).toBe(0);
  for (const { mission_id } of [first, second, third]) expect(listed.out).toContain(mission_id);
  expect(listed.out).toMatch(/1 worktrees, 2 waiting/);
  // One that gives up holds up nobody.
  const operator = await system.as('operator', 'operator');
  await operator.post(`/mission-control/missions/${second.mission_id}/abort`, { reason: 'a test' });
  expect((await system.whenEnded(second.mission_id)).status).toBe('aborted');
  await gate.open();
  for (const { mission_id } of [first, third]) {
    expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
    expect(new Set(await attempts(mission_id))).toEqual(new Set([1]));
  }
  expect(await waits(third.mission_id)).toBeLessThanOrEqual(3);
  expect(await system.db.database.query('SELECT holder FROM worktrees WHERE repository_id = (SELECT repository_id FROM repositories WHERE origin = $1)', [repository.path]))
    .toEqual([{ holder: null }]);
  expect(await system.db.database.query('SELECT 1 FROM worktree_requests')).toEqual([]);
}, 180_000);

test('below the floor of free disk new work waits for a person, reads work, and it goes on once there is room', async () => {
  await system.configure('workspaces.yaml', 'disk_floor_gb: 1000000\n');
  const repository = system.repository(calculator);
  const mission = await system.send(repository, [repository.diff(fixedAdd)]);
  const waiting = await system.whenWaiting(mission.mission_id, 'operator');
  expect(waiting.waiting_on).toMatchObject({ reason: expect.stringMatching(/^DISK_FULL: less than 1000000 GiB/) as string, on_deadline: 'escalate' });
  expect(waiting.waiting_on?.deadline).not.toBeNull();
  await system.configure('workspaces.yaml', '{}\n');
  const operator = await system.as('operator', 'operator');
  await operator.post(`/mission-control/missions/${mission.mission_id}/retry`, { reason: 'there is room now' });
  expect(await system.whenEnded(mission.mission_id)).toMatchObject({ status: 'resolved' });
  expect(new Set(await attempts(mission.mission_id))).toEqual(new Set([1]));
}, 180_000);

test('the record of the workspace says where its dependencies came from', async () => {
  const repository = system.repository({
    ...calculator, '.gitignore': 'deps/\n', 'requirements.txt': 'x==1\n', 'install.sh': 'mkdir -p deps; echo x > deps/x\n',
    '.mission-control.yaml': 'commands: {setup: {argv: [sh, install.sh]}, test: {argv: [npm, test, --silent], report: {format: node_test}}}\n',
  });
  const dependencies = async (): Promise<unknown> => {
    const mission = await system.whenEnded((await harmless(repository, `n${n += 1}.js`)).mission_id);
    expect(mission.status).toBe('resolved');
    const [record] = system.stage(mission, 'pull_code').evidence;
    return (JSON.parse((await system.artifacts.read(record!.sha256)).toString('utf8')) as { dependencies: unknown }).dependencies;
  };
  expect(await dependencies()).toMatchObject({ cache: 'miss', scope: 'tree', kept: true, key: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  // The next one starts from what the first one landed, whose tree was installed for its test.
  expect(await dependencies()).toMatchObject({ cache: 'hit' });
}, 180_000);
