import { createServer, type RequestListener, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { isPrivate } from '../../src/activities/egress.ts';
import { projectRoot } from '../../src/project.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let service: Server;
let port: number;
let answer: RequestListener;

beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  service = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => { service.listen(0, '127.0.0.1', resolve); });
  port = (service.address() as { port: number }).port;
  await system.configure('metrics_catalog.yaml', [
    'metrics:',
    `  service.errors: {comparator: "<", target: 5, source: {kind: http_json, url: "http://127.0.0.1:${port}/stats", pointer: /errors/last}}`,
    '  disk.used: {comparator: "<", target: 90, source: {kind: command, argv: [echo, "{\\"used\\": 40}"], pointer: /used}}',
    '  disk.broken: {comparator: "<", target: 90, source: {kind: command, argv: ["false"]}}', '',
  ].join('\n'));
  await allow(`127.0.0.1:${port}`);
});
afterAll(async () => {
  service.close();
  await system.stop();
});

async function allow(address: string): Promise<void> {
  const policy = await readFile(join(projectRoot, 'config', 'policy.yaml'), 'utf8');
  await system.configure('policy.yaml', policy.replace('allow: []', `allow: ["${address}"]`));
}

async function watched(metric_id: string): Promise<MissionDetail> {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], {
    acceptance_criteria: {
      must_pass_tests: ['adds'], metric_targets: [{ metric_id, comparator: '<', target: 90 }], observation_window_minutes: 0.06,
      observation_window: { interval_seconds: 1, initial_delay_seconds: 0.1, min_samples: 2, min_coverage: 0.4, on_inconclusive: 'rollback' },
    },
  });
  return system.whenEnded(mission_id);
}

test('a figure read over HTTP by its JSON pointer carries the window', async () => {
  answer = (_request, response) => response.end(JSON.stringify({ errors: { last: 2 } }));
  expect(await watched('service.errors')).toMatchObject({ status: 'resolved' });
});

test.each<[string, RequestListener, RegExp]>([
  ['a value that is no number', (_q, r) => r.end(JSON.stringify({ errors: { last: null } })), /measured null, which is not a finite number/],
  ['an answer of 500', (_q, r) => { r.statusCode = 500; r.end('{}'); }, /answered 500/],
  ['a redirect', (_q, r) => { r.writeHead(302, { location: 'http://127.0.0.1:1/' }); r.end(); }, /redirect/],
  ['nothing at the pointer', (_q, r) => r.end('{}'), /there is nothing at \/errors\/last/],
])('%s never passes, and the reason is readable', async (_name, listener, reason) => {
  answer = listener;
  const mission = await watched('service.errors');
  expect(mission).toMatchObject({ outcome: 'rolled_back' });
  const [row] = await system.db.database.query<{ kind: string; reason: string }>(
    'SELECT kind, reason FROM window_samples WHERE mission_id = $1 LIMIT 1', [mission.mission_id]);
  expect(row!.kind).toBe('ERROR');
  expect(row!.reason).toMatch(reason);
});

test('a private address that the policy does not allow is not asked', async () => {
  await allow('127.0.0.1:1');
  let asked = false;
  answer = (_request, response) => { asked = true; response.end('{}'); };
  const mission = await watched('service.errors');
  expect(mission.outcome).toBe('rolled_back');
  expect(asked).toBe(false);
  await allow(`127.0.0.1:${port}`);
});

test('a command measures; one that fails does not pass', async () => {
  expect(await watched('disk.used')).toMatchObject({ status: 'resolved' });
  expect(await watched('disk.broken')).toMatchObject({ outcome: 'rolled_back' });
});

test('the catalog is part of what a mission\'s context freezes', async () => {
  const hashOf = async (): Promise<string | null> => {
    const repository = system.repository(calculator);
    const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)]);
    return (await system.whenEnded(mission_id)).context.config_hash;
  };
  const [first, same] = [await hashOf(), await hashOf()];
  expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(same).toBe(first);
  await system.configure('metrics_catalog.yaml', 'metrics:\n  disk.used: {comparator: "<", target: 91}\n');
  expect(await hashOf()).not.toBe(first);
});

test('private addresses in every spelling', () => {
  for (const address of ['127.0.0.1', '10.1.2.3', '169.254.169.254', '192.168.0.1', '172.20.0.1', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', 'fe80::1', 'fd00::1', '64:ff9b::7f00:1', '100.64.0.1', 'localhost']) {
    expect(isPrivate(address), address).toBe(true);
  }
  for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700::1111']) expect(isPrivate(address), address).toBe(false);
});
