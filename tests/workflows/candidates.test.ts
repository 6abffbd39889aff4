import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { runningIn } from '../support/processes.ts';
import { brokenAdd, calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

const withCandidates = (repository: TestRepository, patch_candidates: object[], more: object = {}): Promise<MissionDetail> =>
  system.send(repository, [], { workspace: { repo_path: repository.path, patch_candidates }, ...more });

/** A commit on a branch of its own; the target stays where it is. */
function branchWith(repository: TestRepository, name: string, files: Record<string, string>): string {
  repository.git('checkout', '-q', '-b', name);
  repository.commit(files, `work on ${name}`);
  const commit = repository.tip(name);
  repository.git('checkout', '-q', 'main');
  return commit;
}

test('a branch lands as one vetted commit, also when the target has moved on since it was made', async () => {
  const repository = system.repository(calculator);
  branchWith(repository, 'fix', fixedAdd);
  repository.commit({ 'notes.md': 'later\n' });
  const mission = await system.whenEnded((await withCandidates(repository, [{ kind: 'branch', ref: 'fix' }])).mission_id);
  expect(mission).toMatchObject({ status: 'resolved' });
  expect(repository.git('show', 'main:add.js')).toContain('a + b');
  expect(repository.git('show', 'main:notes.md')).toBe('later\n');
  expect(repository.git('log', '--format=%s', 'main')).not.toContain('work on fix');
});

test('a commit by its id lands; an unknown branch, an unknown commit and a conflicting one do not, and say so', async () => {
  const repository = system.repository(calculator);
  const conflicting = branchWith(repository, 'other', { 'add.js': 'export const add = () => 4;\n' });
  const good = branchWith(repository, 'fix', fixedAdd);
  repository.commit({ 'add.js': 'export const add = (a, b) => b - a;\n' });
  const refused = await system.whenEnded((await withCandidates(repository, [
    { kind: 'branch', ref: 'nowhere' }, { kind: 'commit', ref: '1'.repeat(40) }, { kind: 'commit', ref: conflicting },
  ])).mission_id);
  expect(refused.status).toBe('escalated');
  expect(refused.remediation_history.map((entry) => entry.result)).toEqual([
    expect.stringContaining('the origin has no branch nowhere'), expect.stringContaining(`the origin has no commit ${'1'.repeat(40)}`),
    expect.stringContaining('conflicts with the base in add.js'),
  ]);
  repository.git('revert', '--no-edit', 'HEAD');
  const landed = await system.whenEnded((await withCandidates(repository, [{ kind: 'commit', ref: good }])).mission_id);
  expect(landed).toMatchObject({ status: 'resolved' });
});

test('a bundle and a diff sent as artefacts land; what is no bundle is refused', async () => {
  const repository = system.repository(calculator);
  const upload = async (bytes: Buffer, type: string): Promise<string> => {
    const { authorization } = await system.headers('agent', 'agent');
    const response = await fetch(`${system.url}/mission-control/artifacts`, { method: 'POST', headers: { authorization, 'content-type': type }, body: new Uint8Array(bytes) });
    expect(response.status).toBe(201);
    return (await response.json() as { sha256: string }).sha256;
  };
  branchWith(repository, 'fix', fixedAdd);
  const file = join(system.home, 'fix.bundle');
  repository.git('bundle', 'create', '-q', file, 'main..fix');
  const bundle = await upload(readFileSync(file), 'application/x-git-bundle');
  repository.git('branch', '-q', '-D', 'fix');
  const noBundle = await upload(Buffer.from('not a bundle'), 'application/x-git-bundle');
  const mission = await system.whenEnded((await withCandidates(repository, [{ kind: 'bundle', artifact: noBundle }, { kind: 'bundle', artifact: bundle }])).mission_id);
  expect(mission).toMatchObject({ status: 'resolved' });
  expect(mission.remediation_history[0]!.result).toContain('not a git bundle');
  expect(repository.git('show', 'main:add.js')).toContain('a + b');

  const other = system.repository(calculator);
  const diff = await upload(Buffer.from(other.diff(fixedAdd)), 'text/x-diff');
  expect(await system.whenEnded((await withCandidates(other, [{ kind: 'diff', artifact: diff }])).mission_id)).toMatchObject({ status: 'resolved' });
});

/** Registers an agent that is a node script. */
async function agent(id: string, script: string, more = ''): Promise<void> {
  const file = join(system.config.configFolder, `${id}.mjs`);
  writeFileSync(file, `import { readFileSync, writeFileSync } from 'node:fs';\nconst brief = readFileSync(process.env.MISSION_BRIEF, 'utf8');\n${script}`);
  await system.configure('agents.yaml', `agents:\n  ${id}:\n    argv: [node, ./${id}.mjs]\n    timeout_seconds: 20\n${more}`);
}

test('a command agent is told what failed, and its second attempt lands', async () => {
  await agent('learner', [
    "console.log('thinking');",
    "const told = brief.includes('required test failed: adds') && brief.includes('✖ adds');",
    "writeFileSync('add.js', told ? 'export const add = (a, b) => a + b;\\n' : 'export const add = (a, b) => a * b + 1;\\n');",
    "writeFileSync('new.txt', brief.split('\\n')[0]);",
  ].join('\n'));
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await withCandidates(repository, [], { assigned_to: 'learner' })).mission_id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(system.stage(mission, 'branch_and_patch')).toMatchObject({ attempt: 2 });
  expect(repository.git('show', 'main:new.txt')).toBe('# Adding is wrong');
  const kinds = system.stage(mission, 'branch_and_patch').evidence.map((item) => item.kind);
  expect(kinds).toEqual(['brief', 'log', 'usage', 'patch', 'candidate', 'bundle']);
});

test('an agent that fails the same way twice in a row is stopped', async () => {
  await agent('stubborn', `writeFileSync('add.js', ${JSON.stringify(brokenAdd['add.js'])});`, '    max_attempts: 9\n');
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await withCandidates(repository, [], { assigned_to: 'stubborn' })).mission_id);
  expect(mission.status).toBe('escalated');
  expect(mission.ended_reason).toContain('stubborn failed the same way twice in a row');
  expect(mission.remediation_history).toHaveLength(2);
});

test('an agent that crashes, changes nothing or takes too long is an attempt that failed, by name', async () => {
  await agent('useless', [
    'const attempt = Number(/attempt (\\d)/.exec(brief)[1]);',
    'if (attempt === 1) process.exit(3);',
    'if (attempt === 3) await new Promise(() => setInterval(() => {}, 1000));',
  ].join('\n'));
  await system.configure('agents.yaml', 'agents: {useless: {argv: [node, ./useless.mjs], timeout_seconds: 4}}\n');
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await withCandidates(repository, [], { assigned_to: 'useless' })).mission_id);
  expect(mission.remediation_history.map((entry) => entry.result)).toEqual([
    'useless ended with exit code 3', 'useless changed nothing', 'useless ran into its time limit of 4 s',
  ]);
  expect(runningIn(system.home, mission.mission_id)).toEqual([]);
});

test('a change that an approver sends back is done again by the agent, who is told why', async () => {
  await agent('polite', "writeFileSync('add.js', brief.includes('please add a comment') ? '// adds\\nexport const add = (a, b) => a + b;\\n' : 'export const add = (a, b) => a + b;\\n');");
  const repository = system.repository(calculator);
  const { mission_id } = await withCandidates(repository, [], { assigned_to: 'polite', trust_requirements: {} });
  const first = await system.approval(mission_id);
  const approver = await system.as('approver', 'approver');
  await approver.post(`/mission-control/approvals/${first.approval_id}/reject`, { reason: 'please add a comment', send_back: true });
  const second = await system.until(async () => {
    const { items } = await system.reader.get<{ items: (typeof first)[] }>(`/mission-control/approvals?status=waiting&mission_id=${mission_id}`);
    return items.find((item) => item.approval_id !== first.approval_id);
  });
  expect(second.digests.git_tree).not.toBe(first.digests.git_tree);
  await expect(system.decide(first)).rejects.toMatchObject({ code: 'APPROVAL_DECIDED' });
  await system.decide(second);
  expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved' });
  expect(repository.git('show', 'main:add.js')).toContain('// adds');
});

test('an agent stops when its time budget for the mission is used up', async () => {
  await agent('slow', "writeFileSync('add.js', `export const add = () => ${Math.random()};\\n`);", '    max_attempts: 9\n    budget_seconds: 0.001\n');
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await withCandidates(repository, [], { assigned_to: 'slow' })).mission_id);
  expect(mission.ended_reason).toContain('slow used up its budget of 0.001 s');
  expect(mission.remediation_history).toHaveLength(1);
});

test('an agent that nobody registered: the mission waits and says who can end it, and goes on once it is there', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await withCandidates(repository, [], { assigned_to: 'latecomer' });
  const waiting = await system.whenWaiting(mission_id, 'agent');
  expect(waiting.waiting_on!.reason).toBe('latecomer is not registered and no candidate was given');
  expect(waiting.waiting_on!.who).toContain('config/agents.yaml');
  await agent('latecomer', `writeFileSync('add.js', ${JSON.stringify(fixedAdd['add.js'])});`);
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${mission_id}/retry`, {});
  expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved' });
});

test('a mission waits for those it depends on, and ends with them when they fail', async () => {
  const repository = system.repository(calculator);
  const first = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  const depending = { ...missionBody(repository, []), acceptance_criteria: missionBody(repository, [])['acceptance_criteria'] };
  const second = await system.send(repository, [], {
    ...depending, workspace: { repo_path: repository.path, dependencies: [first.mission_id], patch_candidates: [{ kind: 'diff', text: repository.diff({ 'x.md': 'x\n' }) }] },
  });
  const waiting = await system.whenWaiting(second.mission_id, 'dependency');
  expect(waiting.waiting_on!.reason).toBe(`${first.mission_id} must be resolved first`);
  await system.decide(await system.approval(first.mission_id));
  expect(await system.whenEnded(second.mission_id)).toMatchObject({ status: 'resolved' });

  const failing = await system.send(repository, [repository.diff(brokenAdd)], { trust_requirements: {} });
  const lost = await system.send(repository, [], {
    workspace: { repo_path: repository.path, dependencies: [failing.mission_id], patch_candidates: [{ kind: 'diff', text: repository.diff({ 'y.md': 'y\n' }) }] },
  });
  const ended = await system.whenEnded(lost.mission_id);
  expect(ended).toMatchObject({ status: 'escalated', ended_reason: `it depends on ${failing.mission_id}, which ended escalated` });
});
