import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { healingStages } from '../../src/domain/stages.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { taskQueue, workspaceQueue } from '../../src/engine/client.ts';
import { hostIdOf } from '../../src/home.ts';
import { digestOf } from '../../src/ledger/canonical.ts';
import { findResource } from '../../src/store/subsystems.ts';
import type { PlaybookView } from '../../src/dashboard/pages/playbooks/wire.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let folder: string;
/** A subsystem of its own for each test: limits count by resource. */
let shop: string;

/** Commands in a folder of the test: a symptom is a file that is missing, and mending it leaves a line in `ran`. */
const node = (script: string): string[] => [process.execPath, '-e', script];
const mend = node("require('fs').appendFileSync('ran', 'x'); require('fs').writeFileSync('mended', '')");
const noUse = node("require('fs').appendFileSync('ran', 'x')");
const isMended = ['test', '-f', 'mended'];
const always = ['true'];

interface BindingOptions { argv?: string[]; params?: Record<string, unknown>; limits?: Record<string, unknown>; approval?: string; observe?: Record<string, unknown>; resource?: string }

const unwatched = { duration_minutes: 0.005, metrics: 'none', reason: 'a test of the pipeline' };

const binding = ({ argv = mend, params = {}, limits = {}, approval = 'by_risk', observe = unwatched, resource = 'web' }: BindingOptions = {}) => ({
  playbook: 'run_command', subsystem: shop, resource, approval, observe,
  params: { cwd: folder, argv, check_argv: isMended, independent_argv: always, regress_argv: always, ...params },
  limits: { cooldown_success_seconds: 0, cooldown_failure_seconds: 0, max_runs: 100, ...limits },
});

const bind = (...bindings: ReturnType<typeof binding>[]): Promise<void> => system.configure('playbooks.yaml', stringify({ playbooks: bindings }));

beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());
beforeEach(async () => {
  shop = `shop-${randomBytes(4).toString('hex')}`;
  folder = join(system.home, shop);
  mkdirSync(folder);
  const service = (id: string) => ({ kind: 'service', manager: { kind: 'process', instances: [{ id, pid_file: join(folder, `${id}.pid`), argv: ['sleep', '1'], cwd: folder }] } });
  await system.configure('subsystems.yaml', stringify({ subsystems: { [shop]: { name: 'The shop', resources: { web: service('web'), api: service('api') } } } }));
  await bind(binding());
});

const heal = (more: Record<string, unknown> = {}): Promise<MissionDetail> => system.heal(shop, { symptom: 'needs_command', resource: 'web', ...more });
const ran = (): string => (existsSync(join(folder, 'ran')) ? readFileSync(join(folder, 'ran'), 'utf8') : '');
const outcomes = async (id: string): Promise<string[]> =>
  (await system.db.database.query<{ outcome: string }>('SELECT outcome FROM healing_runs WHERE mission_id = $1 ORDER BY attempt', [id])).map((run) => run.outcome);

test('a symptom is planned, mended once, verified three ways, watched and closed', async () => {
  const ended = await system.whenEnded((await heal()).mission_id);
  expect(ended).toMatchObject({ mission_type: 'healing', status: 'resolved', outcome: 'healed' });
  expect(ended.stages.map((stage) => [stage.name, stage.status])).toEqual(healingStages.map((name) => [name, 'passed']));
  expect(ran()).toBe('x');
  expect(await outcomes(ended.mission_id)).toEqual(['effective']);
  for (const stage of ended.stages) expect(stage.evidence.length, stage.name).toBeGreaterThan(0);
  const { items } = await system.reader.get<{ items: { type: string }[] }>(`/mission-control/missions/${ended.mission_id}/timeline`);
  expect(items.map((event) => event.type)).toEqual(expect.arrayContaining(['healing.requested', 'healing.planned', 'healing.step_started', 'healing.step_ended', 'healing.verified', 'healing.ended']));
});

test('asked for twice with one Idempotency-Key, at once too, it is one mission; with another body it is refused', async () => {
  const ask = async (symptom: string): Promise<{ status: number; id: unknown }> => {
    const answer = await fetch(`${system.url}/mission-control/subsystems/${shop}/heal`, {
      method: 'POST', body: JSON.stringify({ reason: 'a test', resource: 'web', symptom }),
      headers: { ...await system.headers('operator', 'operator'), 'content-type': 'application/json', 'idempotency-key': shop },
    });
    return { status: answer.status, id: (await answer.json() as { mission_id?: string }).mission_id };
  };
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask('needs_command')));
  expect(new Set(answers.map(({ status, id }) => `${status} ${String(id)}`)).size).toBe(1);
  expect(await system.whenEnded(String(answers[0]!.id))).toMatchObject({ outcome: 'healed' });
  expect(ran()).toBe('x');
  expect((await ask('on_fire')).status).toBe(422);
});

test('a dry run ends with the plan and does nothing', async () => {
  const ended = await system.whenEnded((await heal({ dry_run: true })).mission_id);
  expect(ended).toMatchObject({ status: 'resolved', outcome: 'completed' });
  expect(system.stage(ended, 'execute')).toMatchObject({ status: 'skipped' });
  const plan = system.stage(ended, 'plan').evidence.find((item) => item.kind === 'healing_plan')!;
  const { steps } = JSON.parse((await system.artifacts.read(plan.sha256)).toString()) as { steps: { with: { argv: string[] } }[] };
  expect(steps[0]!.with.argv).toEqual(mend);
  expect(ran()).toBe('');
});

test('a symptom that is not there is not healed', async () => {
  writeFileSync(join(folder, 'mended'), '');
  const ended = await system.whenEnded((await heal()).mission_id);
  expect(ended).toMatchObject({ status: 'resolved', outcome: 'completed' });
  expect(ended.ended_reason).toContain('nothing to heal');
  expect(ran()).toBe('');
});

test('what does not help is undone, is ineffective, and becomes one CAPA', async () => {
  await bind(binding({ argv: noUse, params: { undo_argv: node("require('fs').writeFileSync('undone', '')") } }));
  const first = await system.whenEnded((await heal()).mission_id);
  expect(first).toMatchObject({ status: 'escalated', outcome: 'ineffective' });
  expect(first.ended_reason).toContain('did not help in this mission');
  expect(system.stage(first, 'verify')).toMatchObject({ status: 'failed' });
  expect(existsSync(join(folder, 'undone'))).toBe(true);
  expect(await outcomes(first.mission_id)).toEqual(['ineffective']);
  const second = await system.whenEnded((await heal()).mission_id);
  expect(second.capa_id).toBe(first.capa_id);
  expect(await system.capa(first.capa_id!)).toMatchObject({ occurrences: 2 });
});

test('three ineffective runs end in quarantine, which a person lifts', async () => {
  await bind(binding({ argv: noUse }));
  const missions = [];
  for (const _ of [1, 2, 3, 4]) missions.push(await system.whenEnded((await heal()).mission_id));
  expect(missions[2]!.ended_reason).not.toContain('QUARANTINED');
  expect(missions[3]!.ended_reason).toContain('QUARANTINED: quarantined: run_command did not help');
  expect(new Set(missions.map((mission) => mission.capa_id)).size).toBe(1);
  expect(ran()).toBe('xxx');
  const { items } = await system.reader.get<{ items: PlaybookView[] }>('/mission-control/playbooks');
  const shown = items.find((one) => one.playbook_id === 'run_command')!;
  expect(shown.bindings[0]!.quarantined).toContain('3 times in 24 h');
  expect(shown.bindings[0]!.ruling).toMatchObject({ kind: 'refused', code: 'QUARANTINED' });
  expect(shown.runs.find((one) => one.outcome === 'ineffective')!.runs).toBeGreaterThanOrEqual(3);
  const release = async (who: 'operator' | 'approver') => (await system.as(who, who)).post('/mission-control/playbooks/run_command/release', { subsystem: shop, resource: 'web', reason: 'the cause is mended' });
  await expect(release('operator')).rejects.toMatchObject({ status: 403 });
  await release('approver');
  await bind(binding());
  expect(await system.whenEnded((await heal()).mission_id)).toMatchObject({ outcome: 'healed' });
});

test('a plan that needs a person waits for one, and does what was approved', async () => {
  await bind(binding({ approval: 'always' }));
  const mission = await heal();
  const approval = await system.approval(mission.mission_id);
  expect(approval.digests).toMatchObject({ git_tree: null, plan_digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  expect(ran()).toBe('');
  const operator = await system.as('operator', 'admin');
  await expect(operator.post(`/mission-control/approvals/${approval.approval_id}/approve`, { reason: 'mine' })).rejects.toMatchObject({ status: 403, code: 'SELF_APPROVAL' });
  await system.decide(approval);
  expect(await system.whenEnded(mission.mission_id)).toMatchObject({ status: 'resolved', outcome: 'healed' });
  expect(ran()).toBe('x');
});

test('a plan that is rejected is not carried out', async () => {
  await bind(binding({ approval: 'always' }));
  const mission = await heal();
  await system.decide(await system.approval(mission.mission_id), 'reject');
  expect(await system.whenEnded(mission.mission_id)).toMatchObject({ status: 'aborted', outcome: 'rejected' });
  expect(ran()).toBe('');
});

test('two playbooks never work on one resource at once: the second waits and says for what', async () => {
  const slow = node("const fs = require('fs'); fs.appendFileSync('ran', '('); const until = () => fs.existsSync('go') ? (fs.appendFileSync('ran', ')'), fs.writeFileSync('mended', '')) : setTimeout(until, 50); until()");
  await bind(binding({ argv: slow, params: { check_argv: ['false'], timeout_seconds: 30 }, limits: { max_targets: 10 } }));
  const first = await heal({ severity: 'low' });
  await system.until(async () => ran() === '(' );
  const second = await heal();
  const waiting = await system.whenWaiting(second.mission_id, 'resource');
  expect(waiting.waiting_on!.reason).toBe(`${shop}/web is held by ${first.mission_id}`);
  writeFileSync(join(folder, 'go'), '');
  await system.whenEnded(first.mission_id);
  await system.whenEnded(second.mission_id);
  expect(ran()).toBe('()()');
});

test('an abort in the middle of an effect ends its process, takes back what was done and frees the resource', async () => {
  const hang = node("require('fs').writeFileSync('pid', String(process.pid)); setInterval(() => {}, 1000)");
  await bind(binding({ argv: hang, params: { undo_argv: node("require('fs').writeFileSync('undone', '')"), timeout_seconds: 60 } }));
  const mission = await heal();
  await system.until(async () => existsSync(join(folder, 'pid')) && readFileSync(join(folder, 'pid'), 'utf8') !== '');
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${mission.mission_id}/abort`, { reason: 'enough' });
  expect(await system.whenEnded(mission.mission_id)).toMatchObject({ status: 'aborted' });
  expect(() => process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 0)).toThrow();
  expect(existsSync(join(folder, 'undone'))).toBe(true);
  expect(await outcomes(mission.mission_id)).toEqual(['aborted']);
  await bind(binding());
  expect(await system.whenEnded((await heal()).mission_id)).toMatchObject({ outcome: 'healed' });
});

test('a declaration that changes between plan and effect is drift: it is planned anew', async () => {
  await bind(binding({ approval: 'always' }));
  const mission = await heal();
  const approval = await system.approval(mission.mission_id);
  const text = readFileSync(join(system.config.configFolder, 'subsystems.yaml'), 'utf8');
  await system.configure('subsystems.yaml', text.replaceAll('sleep', 'sleep2'));
  await system.decide(approval);
  const again = await system.until(async () => {
    const next = await system.approval(mission.mission_id);
    return next.approval_id !== approval.approval_id && next;
  });
  expect(ran()).toBe('');
  expect(again.digests.plan_digest).not.toBe(approval.digests.plan_digest);
  await system.decide(again);
  expect(await system.whenEnded(mission.mission_id)).toMatchObject({ outcome: 'healed' });
  expect(await outcomes(mission.mission_id)).toEqual(['aborted', 'effective']);
});

test('limits count when effects begin, not when they were planned: a plan that was approved meanwhile may no longer run', async () => {
  await bind(binding({ approval: 'always', params: { check_argv: ['false'] }, limits: { cooldown_failure_seconds: 600 } }));
  const missions = [await heal(), await heal()];
  const approvals = await Promise.all(missions.map((mission) => system.approval(mission.mission_id)));
  await system.decide(approvals[0]!);
  expect(await system.whenEnded(missions[0]!.mission_id)).toMatchObject({ outcome: 'ineffective' });
  await system.decide(approvals[1]!);
  const second = await system.whenEnded(missions[1]!.mission_id);
  expect(second.ended_reason).toContain('COOLDOWN');
  expect(ran()).toBe('x');
  expect(await outcomes(second.mission_id)).toEqual([]);
});

test('what cannot be undone goes to a person: no other playbook works on top of it', async () => {
  await bind(binding({ argv: noUse, params: { undo_argv: ['false'] } }), binding({ resource: 'api' }));
  const ended = await system.whenEnded((await heal({ resource: undefined })).mission_id);
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'ineffective' });
  expect(ended.ended_reason).toContain('it could not be undone: run: COMMAND_FAILED');
  expect(ran()).toBe('x');
});

test('effects that take longer than their run timeout are ended and taken back', async () => {
  const hang = node('setInterval(() => {}, 1000)');
  await bind(binding({ argv: hang, params: { undo_argv: node("require('fs').writeFileSync('undone', '')"), timeout_seconds: 600 }, limits: { run_timeout_seconds: 2 } }));
  const ended = await system.whenEnded((await heal()).mission_id);
  expect(system.stage(ended, 'execute').reason).toContain('longer than 2 s, its run timeout');
  expect(existsSync(join(folder, 'undone'))).toBe(true);
  expect(await outcomes(ended.mission_id)).toEqual(['failed']);
});

test('a mission that was terminated in Temporal keeps neither its lock nor its place among the targets', async () => {
  const hang = node("require('fs').writeFileSync('pid', String(process.pid)); setInterval(() => {}, 1000)");
  await bind(binding({ argv: hang, params: { timeout_seconds: 600 } }), binding({ resource: 'api' }));
  const gone = await heal();
  await system.until(async () => existsSync(join(folder, 'pid')));
  await system.temporal.workflow.getHandle(gone.mission_id).terminate('a test');
  expect(await system.whenEnded((await heal({ resource: 'api' })).mission_id)).toMatchObject({ outcome: 'healed' });
  expect(await outcomes(gone.mission_id)).toEqual(['aborted']);
});

test('a resource that nobody lets go of escalates with one record for the symptom', async () => {
  await bind(binding({ limits: { run_timeout_seconds: 0.5 } }));
  const holder = await system.temporal.workflow.start('effects', {
    workflowId: `effects:${shop}/web`, taskQueue, args: [{ mission_id: 'mission_of_a_test', resource: `${shop}/web` }],
  });
  const ended = [await system.whenEnded((await heal()).mission_id), await system.whenEnded((await heal()).mission_id)];
  await holder.signal('concludeEffects', 'keep');
  for (const one of ended) expect(one.ended_reason).toContain('was held by mission_of_a_test');
  expect(ended[1]!.capa_id).toBe(ended[0]!.capa_id);
  expect(ran()).toBe('');
});

test('a ladder that can no longer see whether the symptom is gone stops and takes back what it did', async () => {
  const resource = (await findResource(system.config.configFolder, shop, 'web'))!;
  const run = (id: string, more: object) => ({
    id, action: 'command.run', with: { argv: mend, cwd: folder }, effect: id, reversibility: 'compensable', run: 'always', on_failure: 'next',
    compensate: { action: 'command.run', with: { argv: node("require('fs').writeFileSync('undone', '')"), cwd: folder } }, data_loss: 0, timeout_seconds: 30, ...more,
  });
  const plan = {
    playbook_id: 'run_command', playbook_version: 1, subsystem_id: shop, resource_id: 'web', resource_digest: digestOf(resource), locks: [`${shop}/web`],
    params: { ...binding().params, timeout_seconds: 30, check_argv: ['/nowhere/no-such-command'] }, facts: {}, risk: 'medium', data_loss: 0,
    steps: [run('first', {}), run('second', { run: 'while_symptom' })],
  };
  const holder = await system.temporal.workflow.start('effects', {
    workflowId: `effects:${shop}/web`, taskQueue, args: [{ mission_id: 'mission_of_a_test', resource: `${shop}/web` }],
  });
  await holder.signal('beginEffects', { mission_id: 'mission_of_a_test', attempt: 1, host_queue: workspaceQueue(await hostIdOf(system.home)), plan, resource, request: {} });
  await holder.signal('concludeEffects', 'keep');
  expect((await holder.result() as { id: string; outcome: string }[]).map(({ id, outcome }) => `${id} ${outcome}`)).toEqual(['first done', 'first compensated']);
  expect(existsSync(join(folder, 'undone'))).toBe(true);
});

test('no playbook bound, or none for this symptom: a person is told why', async () => {
  await bind();
  const none = await system.whenEnded((await heal()).mission_id);
  expect(none).toMatchObject({ status: 'escalated', outcome: 'failed', ended_reason: 'no playbook is bound to it' });
  await bind(binding());
  const other = await system.whenEnded((await heal({ symptom: 'on_fire' })).mission_id);
  expect(other.ended_reason).toContain('run_command on web: is for needs_command');
});

test('a binding that is wrong holds the mission for whoever mends it, with the field', async () => {
  await system.configure('playbooks.yaml', 'playbooks: [{playbook: run_command, subsystem: shop, resource: web, params: {cwd: relative}}]\n');
  await expect(heal()).rejects.toMatchObject({ status: 422, code: 'CONFIG_INVALID' });
});

test.each([
  ['no reason', { reason: undefined }, 400, 'reason'], ['a resource that is not declared', { resource: 'nothing' }, 422, 'resource'],
  ['a playbook that is not there', { playbook: 'nothing' }, 422, 'playbook'], ['a field too many', { force: true }, 400, 'force'],
])('bad request: %s', async (_name, body, status, path) => {
  const failed = await heal(body).then(() => null, (error: { status: number; errors: { path: string }[] }) => error);
  expect(failed).toMatchObject({ status });
  expect(failed!.errors[0]!.path).toBe(path);
});

test('what was healed and then fails in its window is taken back, and it says so', async () => {
  await system.reader.put(`/mission-control/metrics/${shop}.errors`, { comparator: '<', target: 1 });
  await bind(binding({
    params: { undo_argv: node("require('fs').appendFileSync('undone', 'u')") },
    observe: { duration_minutes: 5, interval_seconds: 0.5, initial_delay_seconds: 0.2, metrics: [{ metric_id: `${shop}.errors`, comparator: '<', target: 1 }] },
  }));
  const mission = await heal();
  await system.whenStatus(mission.mission_id, (one) => one.status === 'observing');
  await (await system.as('monitor', 'operator', 'service')).post(`/mission-control/metrics/${shop}.errors/observations`, { value: 7 });
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'ineffective' });
  expect(ended.ended_reason).toMatch(/did not hold: FAILED: .*7 is not < 1.*; it was taken back$/);
  expect(readFileSync(join(folder, 'undone'), 'utf8')).toBe('u');
  expect(await outcomes(mission.mission_id)).toEqual(['ineffective']);
});
