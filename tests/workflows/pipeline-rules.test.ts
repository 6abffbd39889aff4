import { afterAll, beforeAll, expect, test } from 'vitest';
import { calculator, fixedAdd } from '../support/repository.ts';
import { missionBody, startSystem, testMetric, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

const unobserved = { observation_window_minutes: 0.005, observation_window: { metrics: 'none', reason: 'test' } };
const json = async (sha256: string): Promise<Record<string, unknown>> =>
  JSON.parse((await system.artifacts.read(sha256)).toString()) as Record<string, unknown>;

test('a suite configured by .mission-control.yaml with a JUnit report lands; its stress figures stand beside the base\'s', async () => {
  const script = [
    "import { writeFileSync, mkdirSync } from 'node:fs';", "import { add } from './add.js';",
    "mkdirSync('reports', { recursive: true });",
    "const ok = add(2, 2) === 4;",
    "writeFileSync('reports/junit.xml', `<testsuites><testsuite name=\"sums\"><testcase name=\"adds\">${ok ? '' : '<failure message=\"no\"/>'}</testcase></testsuite></testsuites>`);",
    'process.exit(ok ? 0 : 1);', '',
  ].join('\n');
  const repository = system.repository({
    'add.js': calculator['add.js'], 'check.mjs': script,
    'bench.mjs': "console.log(JSON.stringify({ metrics: { 'sum.cost': 3 } }));\n",
    '.mission-control.yaml': [
      'commands:', '  setup: {argv: [node, --version]}',
      '  test: {argv: [node, check.mjs], report: {format: junit, path: "reports/*.xml"}}',
      '  stress: {argv: [node, bench.mjs], report: {format: metrics_json, from: stdout}}',
      'stress_thresholds: [{metric: sum.cost, max: 5, max_ratio_to_base: 1.5}]', '',
    ].join('\n'),
  });
  await system.reader.put('/mission-control/metrics/sum.cost', { comparator: '<', target: 5 });
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)], {
    acceptance_criteria: { must_pass_tests: ['sums > adds'], metric_targets: [], ...unobserved },
  })).mission_id);
  expect(mission).toMatchObject({ status: 'resolved' });
  const stress = system.stage(mission, 'stress_tests');
  expect(stress.status).toBe('passed');
  expect(await json(stress.evidence.find((item) => item.kind === 'stress')!.sha256)).toMatchObject({
    base: { 'sum.cost': 3 }, candidate: { 'sum.cost': 3 },
  });
});

test('a stress figure over its ratio to the base stops the candidate', async () => {
  const repository = system.repository({
    ...calculator, 'cost.txt': '10',
    'bench.mjs': "import { readFileSync } from 'node:fs';\nconsole.log(JSON.stringify({ metrics: { cost: Number(readFileSync('cost.txt', 'utf8')) } }));\n",
    '.mission-control.yaml': 'commands: {stress: {argv: [node, bench.mjs], report: {format: metrics_json, from: stdout}}}\nstress_thresholds: [{metric: cost, max_ratio_to_base: 1.5}]\n',
  });
  const mission = await system.whenEnded((await system.send(repository, [repository.diff({ ...fixedAdd, 'cost.txt': '16' })])).mission_id);
  expect(mission).toMatchObject({ status: 'escalated' });
  expect(mission.ended_reason).toContain('cost is 16, more than 1.5 × 10 on the base');
});

test('a metric target measured on the candidate tree is checked before the landing', async () => {
  const repository = system.repository({
    ...calculator, 'bench.mjs': `console.log(JSON.stringify({ metrics: { '${testMetric}': 4 } }));\n`,
    '.mission-control.yaml': 'commands: {stress: {argv: [node, bench.mjs], report: {format: metrics_json, from: stdout}}}\n',
  });
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)], {
    acceptance_criteria: { must_pass_tests: ['adds'], metric_targets: [{ metric_id: testMetric, comparator: '<', target: 1 }], observation_window_minutes: 0.01 },
  })).mission_id);
  expect(mission.ended_reason).toContain(`${testMetric} is 4, not < 1`);
  expect(repository.log()).toHaveLength(1);
});

test('a vanished test waits for a person even where no approval was asked for', async () => {
  const repository = system.repository(calculator);
  const without = calculator['test/add.test.js'].replace(/test\('is here'.*\n/, '');
  const { mission_id } = await system.send(repository, [repository.diff({ ...fixedAdd, 'test/add.test.js': without })]);
  const approval = await system.approval(mission_id);
  expect(approval.rules).toEqual([expect.stringMatching(/^tests vanished: .*is here/)]);
  await system.decide(approval);
  expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved' });
});

test('a protected path waits for a person; what protects it cannot be switched off by the patch', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff({ ...fixedAdd, '.mission-control.yaml': 'protected_paths: []\ncommands: {test: {argv: ["true"]}}\n' })]);
  const approval = await system.approval(mission_id);
  expect(approval.rules).toEqual(['protected paths changed: .mission-control.yaml']);
  // The base commit's command ran, not the patch's.
  const mission = await system.mission(mission_id);
  const run = system.stage(mission, 'run_tests').evidence.find((item) => item.kind === 'test_run')!;
  expect((await json(run.sha256))['argv']).toEqual(['npm', 'test', '--silent']);
  await system.decide(approval, 'reject');
  await system.whenEnded(mission_id);
});

test('a test that failed before is no obstacle; a named test that is absent or skipped is', async () => {
  const failing = "import test from 'node:test';\ntest('never worked', () => { throw new Error('no'); });\n";
  const repository = system.repository({ ...calculator, 'test/old.test.js': failing });
  const good = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id);
  expect(good).toMatchObject({ status: 'resolved' });
  expect(system.stage(good, 'run_tests').reason).toContain('failing on the base too');

  const other = system.repository(calculator);
  const skipped = calculator['test/add.test.js'].replace("test('adds'", "test.skip('adds'");
  const absent = await system.whenEnded((await system.send(other, [other.diff(fixedAdd)], {
    acceptance_criteria: { must_pass_tests: ['adds in tongues'], ...unobserved },
  })).mission_id);
  expect(absent.ended_reason).toContain('required test not found: adds in tongues');
  const skip = await system.whenEnded((await system.send(other, [other.diff({ ...fixedAdd, 'test/add.test.js': skipped })])).mission_id);
  expect(skip.ended_reason).toContain('required test was skipped: adds');
  expect(other.log()).toHaveLength(1);
});

test('a secret in the patch blocks it and appears nowhere', async () => {
  const repository = system.repository(calculator);
  const secret = ['AKIA', 'IOSFODNN7EXAMPL2'].join('');
  const keyText = ['aws_secret_access_key', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY'].join(' = ');
  const { mission_id } = await system.send(repository, [repository.diff({ ...fixedAdd, 'deploy.env': `aws_access_key_id = ${secret}\n${keyText}\n` })]);
  const mission = await system.whenEnded(mission_id);
  expect(mission.status).toBe('escalated');
  expect(mission.ended_reason).toMatch(/publish_diagnostics: the scan blocks: deploy\.env:\d+ /);
  const stage = system.stage(mission, 'publish_diagnostics');
  for (const item of stage.evidence) expect((await system.artifacts.read(item.sha256)).toString(), item.kind).not.toMatch(/wJalrXUtn|IOSFODNN7/);
  const timeline = await system.reader.get(`/mission-control/missions/${mission_id}/timeline`);
  expect(JSON.stringify(timeline)).not.toMatch(/wJalrXUtn|IOSFODNN7/);
});

test('a patch that git or our rules refuse names path and rule; the next candidate has its turn', async () => {
  const repository = system.repository(calculator);
  const link = 'diff --git a/evil b/evil\nnew file mode 120000\n--- /dev/null\n+++ b/evil\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n';
  const garbage = 'this is no diff\n';
  const mission = await system.whenEnded((await system.send(repository, [link, garbage, repository.diff(fixedAdd)])).mission_id);
  expect(mission).toMatchObject({ status: 'resolved' });
  expect(mission.remediation_history.map((entry) => entry.result)).toEqual([
    'candidate 1 is refused: evil: a symlink that leaves the tree (PATCH_SYMLINK_FORBIDDEN)', expect.stringMatching(/^candidate 2 does not apply: /),
  ]);
});

test('a mission that may only propose ends with its proof and lands nothing', async () => {
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)], {
    trust_requirements: { memory_write_scope: 'propose' },
  })).mission_id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'completed', landed_commit: null });
  expect(system.stage(mission, 'merge_changes')).toMatchObject({ status: 'skipped', reason: expect.stringContaining('memory_write_scope is propose') as string });
  expect(repository.log()).toHaveLength(1);
});

test('a runner that dies, or reports nothing, proves nothing', async () => {
  const crash = "import test from 'node:test';\ntest('adds', () => process.exit(0));\n";
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await system.send(repository, [repository.diff({ 'test/add.test.js': crash })])).mission_id);
  expect(mission.status).toBe('escalated');
  expect(mission.ended_reason).toMatch(/required test (not found|failed): adds|no readable test report/);
  expect(repository.log()).toHaveLength(1);
});

test('a repository without a test command cannot prove anything, and the mission says so', async () => {
  const repository = system.repository({ 'readme.md': 'nothing to run\n' });
  const mission = await system.whenEnded((await system.send(repository, [repository.diff({ 'readme.md': 'more\n' })], {
    ...missionBody(repository, []), acceptance_criteria: { ...unobserved },
    workspace: { repo_path: repository.path, patch_candidates: [{ kind: 'diff', text: repository.diff({ 'readme.md': 'more\n' }) }] },
  })).mission_id);
  expect(mission.ended_reason).toContain('no test command: name one in .mission-control.yaml');
});

test('what was asked for and not started is started by the reconciler', async () => {
  const repository = system.repository(calculator);
  const mission = await system.send(repository, [repository.diff(fixedAdd)], { execute: false });
  // The row says "execute"; the process that wrote it died before it told Temporal.
  await system.db.database.query('UPDATE missions SET execute_requested_at = now() WHERE mission_id = $1', [mission.mission_id]);
  await system.temporal.schedule.getHandle('reconcile-missions').trigger();
  expect(await system.whenEnded(mission.mission_id)).toMatchObject({ status: 'resolved' });
});

test('HTTP load on a service of the worktree: a slower candidate is stopped, one that does not answer too, a good one lands', async () => {
  const service = (body: string): string => [
    "import { createServer } from 'node:http';",
    `createServer((request, response) => { ${body} }).listen(Number(process.env.PORT), process.env.HOST);`, '',
  ].join('\n');
  const repository = system.repository({
    ...calculator, 'server.js': service("response.end('ok');"),
    '.mission-control.yaml': [
      'commands: {stress: {argv: [node, server.js], timeout_seconds: 120, http_load: {connections: 2, duration_seconds: 1, warm_up_seconds: 0, ready_timeout_seconds: 20}}}',
      // Whatever the machine does besides: the slow one waits a fifth of a second for every answer.
      'stress_thresholds: [{metric: http_latency_p50_ms, max: 150}, {metric: http_non_2xx, max: 0}, {metric: http_errors, max: 0}]', '',
    ].join('\n'),
  });
  const diffs = ["setTimeout(() => response.end('ok'), 200);", 'process.exit(7);', "response.statusCode = 200; response.end('better');"]
    .map((body) => repository.diff({ ...fixedAdd, 'server.js': service(body) }));
  const mission = await system.whenEnded((await system.send(repository, diffs)).mission_id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  const [slow, dead] = mission.remediation_history.map((entry) => entry.result);
  expect(slow).toMatch(/stress_tests: http_latency_p50_ms is \d+(\.\d+)?, more than 150/);
  expect(dead).toContain('stress_tests: the stress command ended with exit code 1');
  expect(repository.git('show', 'main:server.js')).toContain('better');
  const stress = await json(system.stage(mission, 'stress_tests').evidence.find((item) => item.kind === 'stress')!.sha256) as { base: Record<string, number>; candidate: Record<string, number> };
  expect(stress.base['http_requests']).toBeGreaterThan(0);
  expect(stress.candidate).toMatchObject({ http_errors: 0, http_non_2xx: 0 });
}, 180_000);
