import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { calculator } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

/** Wrong on every attempt but the given one, differently each time; reports what `usage` gives for the attempt. */
async function agent(id: string, rightAt: number, usage: string, more = ''): Promise<void> {
  writeFileSync(join(system.config.configFolder, `${id}.mjs`), [
    "import { readFileSync, writeFileSync } from 'node:fs';",
    "const attempt = Number(/attempt (\\d+)/.exec(readFileSync(process.env.MISSION_BRIEF, 'utf8'))[1]);",
    `writeFileSync('add.js', attempt === ${rightAt} ? 'export const add = (a, b) => a + b;\\n' : attempt % 2 === 0 ? 'export const add = () => 0;\\n' : 'export const add =\\n');`,
    `const usage = (${usage});`,
    'if (usage !== undefined) writeFileSync(process.env.MISSION_USAGE, JSON.stringify(usage));',
  ].join('\n'));
  await system.configure('agents.yaml', `agents:\n  ${id}:\n    argv: [node, ./${id}.mjs]\n    max_attempts: 9\n${more}`);
}
const send = (id: string, budget?: object): Promise<MissionDetail> => {
  const repository = system.repository(calculator);
  return system.send(repository, [], {
    assigned_to: id, workspace: { repo_path: repository.path, patch_candidates: [] }, ...(budget === undefined ? {} : { budget }),
  });
};
const warnings = async (id: string) => (await system.reader.get<{ items: { type: string; payload: Record<string, unknown> }[] }>(
  `/mission-control/missions/${id}/timeline`)).items.filter((event) => event.type === 'budget.warning').map((event) => event.payload['reason']);
const operator = () => system.as('operator', 'operator');

test('80 % of the budget is an event, 100 % a wait; a retry is one more attempt, and then it waits again', async () => {
  await agent('spender', 5, '{ tokens: 45, cost_micro_usd: 1000 }');
  const { mission_id: id } = await send('spender', { tokens: 100 });
  const waiting = await system.whenWaiting(id, 'budget');
  expect(waiting).toMatchObject({ tokens: 135, cost_micro_usd: 3_000, usage_unreported: 0, remediation_history: [{}, {}, {}] });
  expect(waiting.waiting_on).toMatchObject({
    reason: "135 of 100 tokens of the mission's budget", who: 'an operator, by retry (one more attempt) or abort', on_deadline: 'escalate',
  });
  expect(waiting.waiting_on!.deadline).not.toBeNull();
  expect(await warnings(id)).toEqual(["90 of 100 tokens of the mission's budget"]);
  await (await operator()).post(`/mission-control/missions/${id}/retry`, { reason: 'nearly there' });
  await system.whenStatus(id, (mission) => mission.waiting_on?.kind === 'budget' && mission.tokens === 180);
  await (await operator()).post(`/mission-control/missions/${id}/retry`, {});
  const ended = await system.whenEnded(id);
  expect(ended).toMatchObject({ status: 'resolved', tokens: 225, cost_micro_usd: 5_000 });
  expect(await warnings(id)).toHaveLength(1);
  const usage = system.stage(ended, 'branch_and_patch').evidence.find((item) => item.kind === 'usage')!;
  expect(usage.summary).toBe('45 tokens, 0.001 USD, as spender says');
}, 60_000);

test('nobody lets it go on in time: escalated, and it says why', async () => {
  await agent('costly', 9, '{ cost_micro_usd: 2_500_000 }', '    budget_cost_micro_usd: 2000000\n    budget_deadline_minutes: 0.01\n');
  const ended = await system.whenEnded((await send('costly')).mission_id);
  expect(ended).toMatchObject({ status: 'escalated', cost_micro_usd: 2_500_000, usage_unreported: 1 });
  expect(ended.ended_reason).toContain('the budget is used up, and nobody let costly go on');
  expect(ended.remediation_history).toHaveLength(1);
});

test('no budget at all is no attempt at all until somebody says so; an abort ends the wait', async () => {
  await agent('idle', 1, '{ tokens: 1 }');
  const { mission_id: id } = await send('idle', { tokens: 0 });
  expect(await system.whenWaiting(id, 'budget')).toMatchObject({ remediation_history: [], tokens: 0 });
  await (await operator()).post(`/mission-control/missions/${id}/abort`, { reason: 'too dear' });
  expect(await system.whenEnded(id)).toMatchObject({ status: 'aborted', outcome: 'cancelled' });
});

test('an agent that reports nothing, or nonsense, is unreported, not free, and whoever set a budget hears of it', async () => {
  await agent('silent', 2, 'attempt === 1 ? { tokens: -1_000_000 } : undefined');
  const ended = await system.whenEnded((await send('silent', { tokens: 10 })).mission_id);
  expect(ended).toMatchObject({ status: 'resolved', tokens: 0, usage_unreported: 2 });
  expect(await warnings(ended.mission_id)).toEqual(['silent does not report its usage: the budget cannot be kept by it']);
  expect(system.stage(ended, 'branch_and_patch').evidence.find((item) => item.kind === 'usage')!.summary)
    .toBe('tokens unreported, cost unreported (nothing was written to MISSION_USAGE)');
});

test('an attempt that was interrupted used something, too: nobody knows what', async () => {
  const seen = join(system.home, 'interrupted-once');
  writeFileSync(join(system.config.configFolder, 'stopped.mjs'), [
    "import { existsSync, writeFileSync } from 'node:fs';",
    `if (!existsSync(${JSON.stringify(seen)})) {`,
    `  writeFileSync(${JSON.stringify(seen)}, '');`,
    '  await new Promise(() => setInterval(() => {}, 1000));',
    '}',
    "writeFileSync('add.js', 'export const add = (a, b) => a + b;\\n');",
    "writeFileSync(process.env.MISSION_USAGE, JSON.stringify({ tokens: 7, cost_micro_usd: 1 }));",
  ].join('\n'));
  await system.configure('agents.yaml', 'agents: {stopped: {argv: [node, ./stopped.mjs]}}\n');
  const { mission_id: id } = await send('stopped');
  await system.until(async () => existsSync(seen));
  await (await operator()).post(`/mission-control/missions/${id}/pause`, { mode: 'now' });
  await system.whenWaiting(id, 'pause');
  await (await operator()).post(`/mission-control/missions/${id}/resume`, {});
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', tokens: 7, cost_micro_usd: 1, usage_unreported: 1 });
});
