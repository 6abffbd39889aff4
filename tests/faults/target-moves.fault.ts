/** F18 and F19: the target branch moves, is rewritten or deleted under a landing, and missions overlap: no untested tree, no lost change. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { isTerminal } from '../../src/domain/mission.ts';
import { calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { chance } from '../support/seed.ts';
import { startSystem, type System } from '../support/system.ts';

vi.setConfig({ testTimeout: 180_000 });
const by = chance('moving target');
let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

/** Everything that landed was tested and approved before: what the ledger says of it, held against the repository. */
async function expectTested(repository: TestRepository, missions: readonly MissionDetail[]): Promise<void> {
  for (const { mission_id, landed_commit, landed_tree } of missions) {
    const { items } = await system.reader.get<{ items: { type: string; payload: Record<string, string> }[] }>(`/mission-control/missions/${mission_id}/timeline`);
    const landed = items.filter(({ type }) => type === 'merge.landed');
    expect(landed.map(({ payload }) => payload['tree'])).toEqual(landed_commit === null ? [] : [landed_tree]);
    if (landed_commit === null) continue;
    expect(items.some(({ type, payload }) => type === 'tests.passed' && payload['tree'] === landed_tree), `${landed_tree} was tested`).toBe(true);
    expect(repository.git('rev-parse', `${landed_commit}^{tree}`).trim()).toBe(landed_tree);
  }
}

async function whenApprovedAfter(repository: TestRepository, change: () => void): Promise<MissionDetail> {
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  const approval = await system.approval(mission_id);
  change();
  await system.decide(approval);
  return system.mission(mission_id);
}

/** A test that takes half a second on a merged tree, so that a committer's loop can come between test and push. */
const slow = { 'test/slow.test.js': "import test from 'node:test';\ntest('takes a while', () => new Promise((resolve) => { setTimeout(resolve, 500); }));\n" };

test('F18: another committer pushes in a loop: it lands tested, or ends with BASE_MOVED; none of their commits is lost', async () => {
  const source = system.repository({ ...calculator, ...slow });
  const path = `${mkdtempSync(join(system.home, 'repositories', 'loop-'))}/origin.git`;
  source.git('clone', '-q', '--bare', source.path, path);
  const origin: TestRepository = { ...source, path, git: (...args) => source.git('--git-dir', path, ...args) };
  const diff = source.diff(fixedAdd);
  const { mission_id } = await system.send(origin, [diff], { trust_requirements: {} });
  const approval = await system.approval(mission_id);
  const stop = new AbortController();
  const pushed: string[] = [];
  const committer = (async () => {
    for (let n = 1; !stop.signal.aborted; n += 1) {
      source.git('pull', '-q', '--no-edit', '--rebase', path, 'main');
      source.commit({ [`theirs/${n}.txt`]: String(n) }, `theirs ${n}`);
      try {
        source.git('push', '-q', path, 'main');
        pushed.push(`theirs/${n}.txt`);
      } catch { /* the landing was faster; their next try stands on it */ }
      await new Promise((resolve) => { setTimeout(resolve, 100 + by.below(200)); });
    }
  })();
  await system.decide(approval);
  const ended = await system.whenStatus(mission_id, (mission) => mission.status === 'resolved' || mission.status === 'escalated');
  stop.abort();
  await committer;
  expect(pushed.length).toBeGreaterThan(2);
  if (ended.status === 'escalated') expect(ended.ended_reason).toMatch(/BASE_MOVED: the target moved \d times while landing/);
  else expect(origin.git('show', 'main:add.js')).toContain('a + b');
  await expectTested(origin, [ended]);
  const files = origin.git('ls-tree', '-r', '--name-only', 'main').split('\n');
  expect(pushed.filter((file) => !files.includes(file)), 'their commits').toEqual([]);
});

test('F18: the branch rewritten by a force push: the merged tree is tested on the new history', async () => {
  const repository = system.repository(calculator);
  repository.commit({ 'second.txt': 'to be rewritten\n' });
  const { mission_id } = await whenApprovedAfter(repository, () => {
    repository.write({ 'rewritten.txt': 'another second commit\n' });
    repository.git('add', '-A');
    repository.git('commit', '-q', '--amend', '-m', 'rewritten');
  });
  const rewritten = repository.tip();
  const ended = await system.whenEnded(mission_id);
  if (ended.status === 'resolved') expect(repository.git('show', 'main:rewritten.txt')).toContain('another');
  expect(repository.log()).toContain(rewritten);
  await expectTested(repository, [ended]);
});

test('F18: the branch deleted: the mission says so and waits for a person; once it is back, it lands', async () => {
  const repository = system.repository(calculator);
  repository.git('branch', 'work');
  repository.git('checkout', '-q', 'work');
  const tip = repository.tip();
  const diff = repository.diff(fixedAdd);
  const { mission_id } = await system.send(repository, [diff], {
    trust_requirements: {}, workspace: { repo_path: repository.path, target_branch: 'main', patch_candidates: [{ kind: 'diff', text: diff }] },
  });
  const approval = await system.approval(mission_id);
  repository.git('branch', '-q', '-D', 'main');
  await system.decide(approval);
  const waiting = await system.whenStatus(mission_id, (mission) => mission.waiting_on?.kind === 'landing' && /has no branch main/.test(mission.waiting_on.reason));
  expect(waiting.landed_commit).toBeNull();
  repository.git('branch', 'main', tip);
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${mission_id}/retry`, {});
  const ended = await system.whenEnded(mission_id);
  expect(ended).toMatchObject({ status: 'resolved', outcome: 'landed' });
  await expectTested(repository, [ended]);
});

test('F19: missions with overlapping changes at once: the branch has what merging the landed ones one by one gives', async () => {
  const lines = Array.from({ length: 40 }, (_, i) => `line ${i}`);
  const edited = (at: number): Record<string, string> => ({ 'list.txt': `${lines.map((line, i) => (i >= at && i < at + 3 ? `${line} by ${at}` : line)).join('\n')}\n` });
  const repository = system.repository({ ...calculator, 'list.txt': `${lines.join('\n')}\n` });
  const base = repository.tip();
  // Neighbours overlap, the others do not.
  const diffs = [0, 2, 8, 14, 16, 22, 28, 30].map((at) => repository.diff(edited(at)));
  const sent = await Promise.all(diffs.map((diff) => system.send(repository, [diff], {
    acceptance_criteria: { must_pass_tests: [], observation_window_minutes: 0.005, observation_window: { metrics: 'none', reason: 'test' } },
  })));
  const ended = await Promise.all(sent.map(({ mission_id }) => system.whenStatus(mission_id, (mission) => isTerminal(mission.status))));
  const order = repository.log().reverse().flatMap((commit) => ended.filter((mission) => mission.landed_commit === commit));
  const refused = ended.filter((mission) => mission.landed_commit === null);
  expect(order.length).toBeGreaterThanOrEqual(5);
  expect(refused.length).toBeGreaterThanOrEqual(3);
  for (const mission of refused) expect(mission.ended_reason).toContain('conflicts with the target in list.txt');
  await expectTested(repository, ended);
  expect(repository.tree()).toBe(mergedOneByOne(repository, base, order.map((mission) => diffs[ended.indexOf(mission)]!)));
});

/** The same changes in the same order, by nothing but git in a clone of its own. */
function mergedOneByOne(repository: TestRepository, base: string, diffs: readonly string[]): string {
  const clone = join(mkdtempSync(join(system.home, 'merged-')), 'clone');
  repository.git('clone', '-q', repository.path, clone);
  const git = (args: string[], input?: string): string => execFileSync('git',
    ['-c', 'user.name=Test', '-c', 'user.email=test@localhost', '-C', clone, ...args], { encoding: 'utf8', ...(input === undefined ? {} : { input }) });
  git(['checkout', '-q', '-B', 'all', base]);
  for (const [i, diff] of diffs.entries()) {
    git(['checkout', '-q', '-B', `one-${i}`, base]);
    git(['apply', '--index', '-'], diff);
    git(['commit', '-q', '-m', `one ${i}`]);
    git(['checkout', '-q', 'all']);
    git(['merge', '-q', '--no-ff', '--no-edit', `one-${i}`]);
  }
  return git(['rev-parse', 'all^{tree}']).trim();
}
