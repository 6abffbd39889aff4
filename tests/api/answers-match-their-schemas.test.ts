import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { problemSchema } from '../../src/api/problem.ts';
import { agentElsewhere, queuedMission } from '../support/agents.ts';
import { call, keyFor } from '../support/http.ts';
import { brokenAdd, calculator, fixedAdd } from '../support/repository.ts';
import { routesDuring, type Route } from '../support/routes.ts';
import { startSystem, testMetric, type System } from '../support/system.ts';
import { startRun } from '../../src/store/healing-runs.ts';

let system: System;
let routes: Route[];
let key: string;
let parameters: Record<string, string>;

beforeAll(async () => {
  ({ built: system, routes } = await routesDuring(startSystem));
  // A channel that is refused for good leaves a message behind at once.
  await system.configure('notifications.yaml', 'channels: {nowhere: {kind: slack, url: "http://127.0.0.1:9"}}\nroutes: [{channels: [nowhere], group_seconds: 0}]\n');
  await system.startWorker();
  key = await keyFor(system, 'root', 'admin');
  // One mission that landed after an approval, one that failed and left a record: every list has something in it.
  const repository = system.repository(calculator);
  const diffs = [repository.diff(brokenAdd), repository.diff(fixedAdd)];
  const landed = await system.send(repository, [], { workspace: { repo_path: repository.path }, trust_requirements: {}, labels: ['x'], budget: { tokens: 10 } });
  await system.whenWaiting(landed.mission_id, 'agent');
  const elsewhere = await agentElsewhere(system, 'elsewhere');
  const { lease } = await elsewhere.claim(landed.mission_id);
  for (const diff of diffs) {
    const { number } = await elsewhere.post(lease, diff, { tokens: 1, cost_micro_usd: 2 });
    await elsewhere.result(landed.mission_id, number, 25);
  }
  const approval = await system.approval(landed.mission_id);
  await system.decide(approval);
  const mission = await system.whenEnded(landed.mission_id);
  expect(mission.status).toBe('resolved');
  const failed = await system.whenEnded((await system.send(system.repository(calculator), [diffs.at(0) ?? ''])).mission_id);
  await queuedMission(system, repository);
  await system.until(async () => (await system.reader.get<{ items: unknown[] }>('/mission-control/notifications?state=failed')).items.length > 0);
  const signal = await call(system.url, '/mission-control/signals', { key, json: { rule: 'x', subsystem_id: 'calculator', severity: 'low', status: 'firing' } });
  const until = new Date(Date.now() + 60_000).toISOString();
  await call(system.url, '/mission-control/silences', { key, json: { matchers: { subsystem_id: 'x' }, reason: 'y', until } });
  await call(system.url, '/mission-control/templates', { key, json: { name: 'listed', package: { severity: 'low' } } });
  await call(system.url, '/api/missions', { key, json: { title: 'Done elsewhere', execute: true } });
  const publicKey = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  await call(system.url, '/mission-control/signing-keys', { key, json: { principal_id: 'agent', public_key: publicKey } });
  await system.db.database.query(
    `INSERT INTO work_bundles (mission_id, ref, commit, repository_id, sha256, size_bytes)
     SELECT $1, 'refs/x', 'c', repository_id, 'd', 1 FROM repositories LIMIT 1`, [mission.mission_id]);
  await system.until(async () => (await system.reader.get<{ items: { report: unknown }[] }>('/mission-control/workspaces')).items.some(({ report }) => report !== null));
  await startRun(system.db.database.query, {
    mission_id: mission.mission_id, attempt: 1, playbook_id: 'run_command', playbook_version: 1, subsystem_id: 'shop', resource_id: 'web',
    fingerprint: 'f', plan_digest: null,
  }, () => null);
  parameters = {
    ':finding_id': (signal.body['findings'] as { finding_id: string }[]).at(0)?.finding_id ?? '', ':subsystem_id': 'postgres',
    ':mission_id': mission.mission_id, ':approval_id': approval.approval_id, ':capa_id': failed.capa_id ?? '', ':metric_id': testMetric,
    ':playbook_id': 'run_command', ':agent_id': 'agent', ':seq': '1', ':number': '1', ':sha256': mission.stages.at(0)?.evidence.at(0)?.sha256 ?? '',
  };
});
afterAll(() => system.stop());

const schemaOf = (route: Route, status: number): z.ZodType => {
  const responses = route.options.schema?.response as Record<string, z.ZodType>;
  const schema = responses[status] ?? responses['default'];
  if (schema === undefined) throw new Error(`${route.method} ${route.url} says nothing about ${status}`);
  return schema;
};
const required: Record<string, string> = { '/mission-control/queue/next': '?agent_id=agent', '/mission-control/ledger/consistency': '?from=1&to=2' };
const pathOf = (route: Route): string =>
  Object.entries(parameters).reduce((url, [name, value]) => url.replace(name, value), route.url) + (required[route.url] ?? '');
/** The live stream answers no GET: it is a WebSocket, and docs/events.md says what it speaks. */
const documented = (route: Route): boolean => route.url !== '/mission-control/ws' && ['/mission-control', '/health', '/api/'].some((start) => route.url.startsWith(start));

test('every GET answers as its schema says, with something in every list', async () => {
  const reading = routes.filter((route) => route.method === 'GET' && documented(route));
  expect(reading.length).toBeGreaterThan(14);
  for (const route of reading) {
    const answer = await call(system.url, pathOf(route), { key });
    expect(answer.status, `${route.url} ${answer.text.slice(0, 300)}`).toBe(200);
    if (route.url.includes('/artifacts/') || /\/(brief|base\..*)$/.test(route.url)) continue;
    const parsed = schemaOf(route, 200).safeParse(answer.body);
    expect(parsed.error?.issues ?? [], route.url).toEqual([]);
    for (const list of ['items', 'missions']) {
      if (Array.isArray(answer.body[list])) expect(answer.body[list], route.url).not.toEqual([]);
    }
  }
});

test('what is created and changed answers as its schema says', async () => {
  const calls: [string, string, number, unknown][] = [
    ['POST', '/mission-control/keys', 201, { principal_id: 'new', kind: 'service', role: 'viewer' }],
    ['PUT', '/mission-control/metrics/:metric_id', 200, { comparator: '<', target: 1 }],
    ['POST', '/mission-control/metrics/:metric_id/observations', 202, { value: 1 }],
    ['POST', '/mission-control/capa', 201, { subsystem_id: 'x', problem_statement: 'y' }],
    ['POST', '/mission-control/notifications/test', 202, { channel: 'nowhere' }],
    ['POST', '/mission-control/signals', 202, { rule: 'z', subsystem_id: 'x', severity: 'low', status: 'firing' }],
    ['POST', '/mission-control/silences', 201, { matchers: { rule_id: 'z' }, reason: 'y', until: new Date(Date.now() + 60_000).toISOString() }],
    ['POST', '/mission-control/repositories', 201, { name: 'schemas', path: system.repository(calculator).path }],
    ['POST', '/mission-control/templates', 201, { name: 'made', package: { subsystem_id: 'x' } }],
    ['POST', '/mission-control/missions/batch', 200, { mission_ids: ['mission_20200101_001'], action: 'retry' }],
    ['POST', '/api/missions', 201, { title: 'x' }],
    ['POST', '/api/missions/:mission_id/start', 409, {}],
    ['POST', '/mission-control/missions/:mission_id/execute', 409, {}],
    ['POST', '/mission-control/missions/:mission_id/pause', 409, {}],
    ['POST', '/mission-control/approvals/:approval_id/approve', 409, { reason: 'again' }],
  ];
  for (const [method, url, status, json] of calls) {
    const route = routes.find((route) => route.method === method && route.url === url)!;
    const answer = await call(system.url, pathOf(route), { key, method, json });
    expect(answer.status, answer.text).toBe(status);
    expect(schemaOf(route, status).safeParse(answer.body).error?.issues ?? [], url).toEqual([]);
  }
});

test('the bytes of an artefact are what the evidence says, and never a page of ours', async () => {
  const { body } = await call(system.url, `/mission-control/missions/${parameters[':mission_id']}/evidence`, { key });
  const items = body['items'] as { sha256: string; size_bytes: number; media_type: string }[];
  expect(items.length).toBeGreaterThan(10);
  for (const item of items) {
    const answer = await fetch(`${system.url}/mission-control/artifacts/${item.sha256}`, { headers: { authorization: `Bearer ${key}` } });
    expect((await answer.arrayBuffer()).byteLength).toBe(item.size_bytes);
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(answer.headers.get('content-security-policy')).toContain('sandbox');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  }
});

describe('the OpenAPI document', () => {
  interface Operation { summary?: string; security?: unknown[]; responses?: Record<string, { content?: Record<string, { schema?: object }> }>; description?: string; parameters?: { name: string; in: string }[] }
  interface Document { openapi: string; paths: Record<string, Record<string, Operation>>; components: { securitySchemes: Record<string, unknown> } }
  const document = async (): Promise<Document> => (await call(system.url, '/openapi.json')).body as unknown as Document;

  test('is 3.1 and names every route, with summary, answers, problems and the key it needs', async () => {
    const { openapi, paths, components } = await document();
    expect(openapi).toMatch(/^3\.1\./);
    expect(Object.keys(components.securitySchemes)).toEqual(['api_key']);
    for (const route of routes.filter((route) => documented(route) && route.method !== 'HEAD')) {
      const operation = paths[route.url.replaceAll(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()];
      const name = `${route.method} ${route.url}`;
      expect(operation?.summary, name).toMatch(/^[A-Z0-9].{4,}/);
      const responses = operation?.responses ?? {};
      expect(Object.keys(responses).some((status) => status.startsWith('2')), name).toBe(true);
      for (const [status, response] of Object.entries(responses)) {
        expect(Object.values(response.content ?? {}).some(({ schema }) => Object.keys(schema ?? {}).length > 0), `${name} ${status}`).toBe(true);
      }
      for (const parameter of route.url.matchAll(/:(\w+)/g)) {
        expect(operation?.parameters?.map((p) => `${p.in} ${p.name}`), name).toContain(`path ${parameter[1]}`);
      }
      if (route.permission === 'public') {
        expect(operation?.security, name).toBeUndefined();
        continue;
      }
      expect(operation?.security, name).toEqual([{ api_key: [] }]);
      expect(operation?.description, name).toContain(`\`${route.permission}\``);
      expect(responses, name).toHaveProperty('default');
    }
  });

  test('names no route that is not there', async () => {
    const { paths } = await document();
    const known = new Set(routes.map((route) => `${route.method.toLowerCase()} ${route.url.replaceAll(/:(\w+)/g, '{$1}')}`));
    for (const [url, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) expect(known).toContain(`${method} ${url}`);
    }
  });

  test('shows a problem as problems are', async () => {
    const { paths } = await document();
    const shown = paths['/mission-control/missions']?.['post']?.responses?.['default']?.content ?? {};
    const schema = Object.values(shown).at(0)?.schema ?? {};
    expect(Object.keys('properties' in schema ? schema.properties as object : {}).sort()).toEqual(Object.keys(problemSchema.shape).sort());
  });

  test('is the same each time', async () => {
    const one = await call(system.url, '/openapi.json');
    expect((await call(system.url, '/openapi.json')).text).toBe(one.text);
  });

  test('routes of the seed and of ours stay where they are', async () => {
    const { paths } = await document();
    expect(Object.entries(paths).flatMap(([url, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${url}`))).toEqual(expect.arrayContaining([
      'GET /health/live', 'GET /health/ready', 'GET /mission-control/status', 'POST /mission-control/missions', 'GET /mission-control/missions',
      'GET /mission-control/missions/{mission_id}', 'POST /mission-control/missions/{mission_id}/execute', 'GET /mission-control/subsystems',
      'GET /mission-control/subsystems/{subsystem_id}', 'GET /mission-control/findings', 'POST /mission-control/signals', 'POST /mission-control/signals/{source}',
      'GET /mission-control/metrics', 'POST /mission-control/capa', 'GET /mission-control/capa', 'GET /mission-control/keys',
      'DELETE /mission-control/keys/{key_id}', 'GET /mission-control/approvals', 'POST /mission-control/approvals/{approval_id}/approve',
      ...['pause', 'resume', 'abort', 'retry'].map((verb) => `POST /mission-control/missions/{mission_id}/${verb}`),
      ...['stages', 'timeline', 'evidence'].map((part) => `GET /mission-control/missions/{mission_id}/${part}`),
    ]));
  });
});

test('/docs answers and loads nothing from another host', async () => {
  const moved = await call(system.url, '/docs');
  expect([200, 301, 302]).toContain(moved.status);
  const page = await call(system.url, '/docs/');
  expect(page.status).toBe(200);
  const loaded = [...page.text.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1] ?? '');
  expect(loaded.length).toBeGreaterThan(0);
  for (const address of loaded) {
    expect(address, 'not another host').not.toMatch(/^(\w+:)?\/\//);
    expect((await call(system.url, new URL(address, 'http://x/docs/').pathname)).status, address).toBe(200);
  }
  // Whatever the script would like to fetch, the browser lets it fetch from here only.
  const policy = page.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'self'");
  expect(policy).not.toMatch(/https?:|\*|connect-src|font-src https/);
});

