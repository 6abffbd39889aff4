import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { codingStages } from '../../src/domain/stages.ts';
import { keyFor } from '../support/http.ts';
import { brokenAdd, calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';
import { startTool, tool } from './tool.ts';

let system: System;
let keys: { olga: string; ann: string };
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  keys = { olga: await keyFor(system, 'olga', 'operator'), ann: await keyFor(system, 'ann', 'approver') };
});
afterAll(() => system.stop());

const as = (who: keyof typeof keys) => ({ url: system.url, key: keys[who] });

function diffFile(repository: TestRepository, changes: Record<string, string>): string {
  const path = join(system.home, `${repository.path.split('/').at(-1)!}.diff`);
  writeFileSync(path, repository.diff(changes));
  return path;
}

const unobserved = ['--unobserved', 'a calculator has no metrics', '--window-minutes', '0.005'];
const createFrom = (repository: TestRepository, diff: string, ...more: string[]): string[] => [
  'mission', 'create', '--repo', repository.path, '--diff', diff, '--must-pass', 'adds', '--subsystem', 'calculator',
  '--severity', 'medium', '--title', 'Adding is wrong', ...unobserved, '--execute', ...more,
];
const idIn = (out: string): string => /mission_\d{8}_\d+/.exec(out)![0];

test('a mission made from flags is watched stage by stage, approved by its mission id, and landed: watch exits 0', async () => {
  const repository = system.repository(calculator);
  const created = await tool(createFrom(repository, diffFile(repository, fixedAdd), '--symptom', '2 + 2 is 0'), as('olga'));
  expect(created).toMatchObject({ code: 0, err: '', out: expect.stringContaining('missionctl mission watch') as string });
  const id = idIn(created.out);

  const watch = startTool(['mission', 'watch', id], as('olga'));
  const wait = await watch.line(/waits for an approval/);
  expect(wait).toMatch(/Who can change that: 1 approver other than olga\. In \d+ [^(]*\(.*\) the mission is aborted\./);

  const listed = await tool(['approvals'], as('ann'));
  expect(listed.out).toContain(id.replace('mission', 'approval'));
  const { digests, rules } = await system.approval(id);
  const decided = await tool(['approve', id, '--reason', 'read it', '--yes'], as('ann'));
  expect(decided).toMatchObject({ code: 0, out: expect.stringMatching(/is approved/) as string });
  for (const shown of [...Object.values(digests), ...rules, repository.path, 'olga']) expect(decided.err).toContain(shown);

  const { code, out } = await watch.ended;
  expect(code).toBe(0);
  for (const stage of codingStages) expect(out).toMatch(new RegExp(`(passed|skipped) +${stage} `));
  expect(out.trim().split('\n').at(-1)).toMatch(new RegExp(`^${id} is resolved \\(landed\\)`));
  expect(repository.tree()).toBe(digests.git_tree);
  const shown = await tool(['mission', 'show', id], as('ann'));
  expect(shown.out).toContain(`commit ${repository.tip()}`);
});

test('watching a mission whose named test fails exits 1 and names the test', async () => {
  const repository = system.repository(calculator);
  const { out } = await tool(createFrom(repository, diffFile(repository, brokenAdd), '--no-approval'), as('olga'));
  const watched = await tool(['mission', 'watch', idIn(out)], as('olga'));
  expect(watched.code).toBe(1);
  expect(watched.out).toMatch(/failed +run_tests .*adds/);
  expect(watched.out.trim().split('\n').at(-1)).toMatch(/is escalated \(failed\): .*adds.* missionctl capa show CAPA-/);
  const capa = await tool(['capa', 'show', /CAPA-[\d-]+/.exec(watched.out)![0]], as('olga'));
  expect(capa).toMatchObject({ code: 0, out: expect.stringContaining('adds') as string });
});

test('nobody approves their own work by the tool either, and a rejected mission is watched to an exit of 1', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  const approval = await system.approval(mission_id);
  const author = { url: system.url, key: await keyFor(system, 'agent', 'approver') };
  expect(await tool(['approve', approval.approval_id, '--reason', 'mine', '--yes'], author))
    .toMatchObject({ code: 2, out: '', err: expect.stringContaining('SELF_APPROVAL') as string });
  expect(await tool(['approve', mission_id, '--reason', 'nobody asked'], as('ann')))
    .toMatchObject({ code: 64, err: expect.stringContaining('--yes') as string });
  expect((await system.mission(mission_id)).waiting_on?.kind).toBe('approval');

  const watch = startTool(['mission', 'watch', mission_id], as('ann'));
  expect(await tool(['reject', approval.approval_id, '--reason', 'not now', '--yes'], as('ann'))).toMatchObject({ code: 0 });
  expect(await watch.ended).toMatchObject({ code: 1, out: expect.stringContaining('is aborted (rejected)') as string });
  expect(await tool(['approve', mission_id, '--reason', 'after all', '--yes'], as('ann')))
    .toMatchObject({ code: 2, err: expect.stringContaining('APPROVAL_DECIDED') as string });
  expect(repository.log()).toHaveLength(1);
});

test('a package from standard input is the mission that the file says; the same idempotency key is the same mission', async () => {
  const repository = system.repository(calculator);
  const input = JSON.stringify(missionBody(repository, [repository.diff(fixedAdd)]));
  const create = ['mission', 'create', '--file', '-', '--idempotency-key', `from-${repository.path}`, '--json'];
  const one = await tool(create, { ...as('olga'), input });
  const two = await tool(create, { ...as('olga'), input });
  const mission = JSON.parse(one.out) as MissionDetail;
  expect(mission).toMatchObject({ status: 'open', title: 'Adding is wrong', created_by: 'olga' });
  expect(JSON.parse(two.out)).toMatchObject({ mission_id: mission.mission_id });

  const watch = startTool(['mission', 'watch', mission.mission_id], as('olga'));
  await watch.line(/not started; start it: missionctl mission execute/);
  expect(await tool(['mission', 'execute', mission.mission_id], as('olga'))).toMatchObject({ code: 0 });
  expect(await watch.ended).toMatchObject({ code: 0 });
});

test('pause, resume and abort say when they take effect, and the wait says who can end it', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  await system.approval(mission_id);
  expect((await tool(['mission', 'pause', mission_id, '--reason', 'lunch'], as('olga'))).out).toContain('pause takes effect');
  expect((await tool(['mission', 'resume', mission_id], as('olga'))).out).toContain('resume takes effect');
  expect((await tool(['mission', 'abort', mission_id], as('olga'))).code).toBe(64);
  const aborted = await tool(['mission', 'abort', mission_id, '--reason', 'not needed'], as('olga'));
  expect(aborted).toMatchObject({ code: 0, out: expect.stringContaining('abort takes effect') as string });
  expect((await system.whenEnded(mission_id)).status).toBe('aborted');
  expect(await tool(['mission', 'retry', mission_id], as('olga'))).toMatchObject({ code: 2, err: expect.stringContaining('MISSION_ENDED') as string });
});
