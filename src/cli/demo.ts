/**
 * `npm run demo`: a small real git repository with a failing test, a scripted command agent, and one mission through all
 * eleven stages: the agent's first idea fails the real tests, its second passes them; a second principal approves; a real
 * merge and a real (short) observation window.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Approval } from '../domain/approval.ts';
import type { MissionDetail } from '../domain/mission-view.ts';
import { isTerminal } from '../domain/mission.ts';
import type { StageRecord } from '../domain/stages.ts';
import { createClient, type ApiClient } from './client.ts';
import type { RunFile } from './launcher/main.ts';

const run = promisify(execFile);
const metric = 'demo.checkout_errors';
const windowMinutes = 0.1;
const lookMs = 150;

/** @throws Error when the mission does not end resolved */
export async function runDemo(system: RunFile, home: string, signal: AbortSignal): Promise<void> {
  const admin = createClient(system.api_url, (await readFile(join(home, 'admin.key'), 'utf8')).trim());
  const name = `demo-${randomBytes(3).toString('hex')}`;
  const repository = join(home, 'repositories', name);
  await makeRepository(repository);
  console.log(`\nDemo: ${repository}\n  a shop whose total ignores the quantity: one of its two tests fails. A scripted agent is asked to mend it;\n  its first idea is wrong, and it is told so.`);

  const approver = await principal(admin, system, 'approver', 'approver');
  const sender = await principal(admin, system, 'shop-monitor', 'agent');
  const monitor = await principal(admin, system, 'monitor', 'operator');
  await admin.put(`/mission-control/metrics/${metric}`, { source: { kind: 'push' }, comparator: '<', target: 1, unit: 'errors/min' });

  const mission = await sender.post<MissionDetail>('/mission-control/missions', {
    title: 'The total ignores the quantity', subsystem_id: 'shop', severity: 'high', detected_by: 'demo',
    symptoms: [{ description: 'Customers pay for one piece of whatever they order', metric_id: metric, observed_value: 12, threshold: 1 }],
    acceptance_criteria: {
      must_pass_tests: ['total multiplies by quantity'], observation_window_minutes: windowMinutes,
      metric_targets: [{ metric_id: metric, comparator: '<', target: 1 }],
    },
    assigned_to: 'demo-agent', workspace: { repo_path: repository }, execute: true,
  });
  console.log(`\n${mission.mission_id}: ${mission.title}`);

  const ended = await follow(mission.mission_id, sender, {
    approve: async () => {
      const { items } = await approver.get<{ items: Approval[] }>(`/mission-control/approvals?status=waiting&mission_id=${mission.mission_id}`);
      for (const approval of items) {
        console.log(`      approver agrees to tree ${approval.digests.git_tree?.slice(0, 12)} (${approval.rules.join('; ')})`);
        await approver.post(`/mission-control/approvals/${approval.approval_id}/approve`, {
          reason: 'the named test passes and nothing else changed', digests: approval.digests,
        });
      }
    },
    observe: (commit) => monitor.post(`/mission-control/metrics/${metric}/observations`, { value: 0, observed_revision: commit }),
  }, signal);
  await show(ended, repository);
  if (ended.status !== 'resolved') throw new Error(`the demo mission ended ${ended.status}: ${ended.ended_reason}`);
}

interface Reactions {
  approve(): Promise<unknown>;
  observe(commit: string): Promise<unknown>;
}

/** Prints each stage as it happens and plays the people and monitors around the mission. */
async function follow(id: string, client: ApiClient, react: Reactions, signal: AbortSignal): Promise<MissionDetail> {
  const printed = new Set<string>();
  for (;;) {
    signal.throwIfAborted();
    const mission = await client.get<MissionDetail>(`/mission-control/missions/${id}`);
    const { items: attempts } = await client.get<{ items: StageRecord[] }>(`/mission-control/missions/${id}/stages`);
    for (const stage of attempts) {
      const key = `${stage.name}:${stage.attempt}:${stage.status}`;
      if (stage.ended_at === null || printed.has(key)) continue;
      printed.add(key);
      const time = `${String(stage.duration_ms ?? 0).padStart(6)} ms`;
      console.log(`  ${stage.status.padEnd(7)} ${stage.name.padEnd(20)} ${time}  ${stage.evidence.length} evidence${stage.reason === null ? '' : `  ${stage.reason}`}`);
    }
    if (isTerminal(mission.status)) return mission;
    if (mission.waiting_on?.kind === 'approval') await react.approve();
    if (mission.status === 'observing' && mission.landed_commit !== null) await react.observe(mission.landed_commit);
    await new Promise((resolve) => { setTimeout(resolve, lookMs); });
  }
}

async function show(mission: MissionDetail, repository: string): Promise<void> {
  console.log(`\n${mission.mission_id} is ${mission.status} (${mission.outcome ?? '-'}): ${mission.ended_reason}`);
  if (mission.landed_commit !== null) {
    const tree = await git(repository, ['rev-parse', 'main^{tree}']);
    console.log(`  landed commit ${mission.landed_commit}`);
    console.log(`  tested tree   ${mission.landed_tree}`);
    console.log(`  tree of main  ${tree}${tree === mission.landed_tree ? '  (the same)' : ''}`);
  }
  if (mission.links.temporal !== null) console.log(`  in Temporal   ${mission.links.temporal}`);
}

async function principal(admin: ApiClient, system: RunFile, id: string, role: 'approver' | 'agent' | 'operator'): Promise<ApiClient> {
  const kind = role === 'agent' ? 'agent' : role === 'operator' ? 'service' : 'person';
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  const { key } = await admin.post<{ key: string }>('/mission-control/keys', { principal_id: id, kind, role, name: 'demo', expires_at });
  return createClient(system.api_url, key);
}

const shop = `/** Price of an order in cents. */
export function total(items) {
  return items.reduce((sum, item) => sum + item.price, 0);
}
`;
const tests = `import assert from 'node:assert/strict';
import test from 'node:test';
import { total } from '../shop.js';

test('total of nothing is 0', () => assert.equal(total([]), 0));
test('total multiplies by quantity', () => assert.equal(total([{ price: 250, quantity: 3 }]), 750));
`;

async function makeRepository(path: string): Promise<void> {
  await mkdir(join(path, 'test'), { recursive: true });
  await writeFile(join(path, 'package.json'), `${JSON.stringify({ name: 'demo-shop', private: true, type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`);
  await writeFile(join(path, 'shop.js'), shop);
  await writeFile(join(path, 'test', 'shop.test.js'), tests);
  await git(path, ['init', '--quiet', '--initial-branch=main']);
  await git(path, ['add', '.']);
  await git(path, ['-c', 'user.name=Demo', '-c', 'user.email=demo@localhost', 'commit', '--quiet', '-m', 'A shop']);
}

async function git(path: string, args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', path, ...args]);
  return stdout.trim();
}
