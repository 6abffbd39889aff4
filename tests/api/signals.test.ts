import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../src/domain/actor.ts';
import { signatureOf } from '../../src/api/webhook-signature.ts';
import { call, changingNothing, expectProblem, keyFor, type Answer } from '../support/http.ts';
import { startSystem, type System } from '../support/system.ts';

const secret = 'a shared secret of the test';
let system: System;
const keys = new Map<Role, string>();
beforeAll(async () => {
  process.env['TEST_WEBHOOK_SECRET'] = secret;
  system = await startSystem();
  await system.configure('signals.yaml', `
sources:
  grafana-main: {kind: grafana, secret_env: TEST_WEBHOOK_SECRET, subsystem_id: shop}
  prometheus: {kind: alertmanager, secret_env: TEST_WEBHOOK_SECRET, volatile: [instance]}
  script: {kind: generic, secret_env: TEST_WEBHOOK_SECRET}
  unset: {kind: generic, secret_env: TEST_WEBHOOK_SECRET_THAT_IS_NOT_SET}
`);
  for (const role of ['operator', 'agent', 'viewer', 'approver', 'admin'] as const) keys.set(role, await keyFor(system, role, role));
});
afterAll(() => system.stop());

const seconds = (): number => Math.floor(Date.now() / 1_000);
let last = 0;
/** A time that no message of this test was signed with, so that no two signatures are the same. */
const nextTime = (): number => { last = Math.max(last + 1, seconds() - 200); return last; };

interface Sent { time?: number; signature?: string; body?: string }
const webhook = (source: string, json: unknown, { time = nextTime(), body = JSON.stringify(json), signature = signatureOf(secret, time, body) }: Sent = {}): Promise<Answer> =>
  call(system.url, `/mission-control/signals/${source}`, { raw: body, headers: { 'content-type': 'application/json', 'mission-control-signature': `t=${time},v1=${signature}` } });
const post = (json: unknown, role: Role = 'agent') => call(system.url, '/mission-control/signals', { key: keys.get(role)!, json });
interface Taken { accepted: number; findings: { fingerprint: string; finding_id: string; state: string }[] }
const taken = (answer: Answer): Taken => { expect(answer.status, answer.text).toBe(202); return answer.body as unknown as Taken; };
const finding = async (id: string) => (await call(system.url, `/mission-control/findings/${id}`, { key: keys.get('viewer')! })).body;

/** As Alertmanager 0.27 sends it. */
const alertmanager = (status: 'firing' | 'resolved', labels: Record<string, string> = {}) => ({
  receiver: 'mission-control', status,
  alerts: [{
    status, labels: { alertname: 'HighRequestLatency', instance: 'web-1:9100', job: 'shop', severity: 'page', subsystem: 'shop', symptom: 'high_latency', resource: 'web', ...labels },
    annotations: { summary: 'p95 is 2.1 s', description: 'p95 of checkout is above 1 s for 10 minutes' },
    startsAt: '2026-11-21T10:40:31.143Z', endsAt: status === 'firing' ? '0001-01-01T00:00:00Z' : '2026-11-21T10:50:31.143Z',
    generatorURL: 'http://prometheus:9090/graph?g0.expr=x', fingerprint: 'c4c4a1b2d6f7e8a9',
  }],
  groupLabels: { alertname: 'HighRequestLatency' }, commonLabels: { job: 'shop' }, commonAnnotations: {},
  externalURL: 'http://alertmanager:9093', version: '4', groupKey: '{}:{alertname="HighRequestLatency"}', truncatedAlerts: 0,
});

/** As Grafana 11 sends it. */
const grafana = (status: 'firing' | 'resolved') => ({
  receiver: 'mission-control', status, orgId: 1,
  alerts: [{
    status, labels: { alertname: 'Orders stuck', grafana_folder: 'Shop', symptom: 'database_locked', severity: 'warning' }, annotations: { summary: 'no order for 5 minutes' },
    startsAt: '2026-11-21T10:40:30Z', endsAt: '0001-01-01T00:00:00Z', generatorURL: 'http://grafana:3000/alerting/grafana/abc/view?orgId=1',
    fingerprint: '57c6d9296de2ad39', silenceURL: 'http://grafana:3000/alerting/silence/new', dashboardURL: '', panelURL: '',
    values: { B: 22.5, C: 1 }, valueString: "[ var='B' labels={} value=22.5 ]",
  }],
  groupLabels: { alertname: 'Orders stuck' }, commonLabels: { grafana_folder: 'Shop' }, commonAnnotations: {}, externalURL: 'http://grafana:3000/',
  version: '1', groupKey: '{}:{alertname="Orders stuck"}', truncatedAlerts: 0, title: '[FIRING:1] Orders stuck', state: 'alerting', message: '**Firing**',
});

test('an alert of Alertmanager is a finding; sent again it is an occurrence; resolved it is resolved', async () => {
  const [first] = taken(await webhook('prometheus', alertmanager('firing'))).findings;
  expect(await finding(first!.finding_id)).toMatchObject({
    rule_id: 'signal:prometheus:HighRequestLatency', source: 'signal', subsystem_id: 'shop', resource_id: 'web', symptom: 'high_latency',
    severity: 'critical', title: 'p95 is 2.1 s', state: 'FIRING', occurrences: 1,
  });
  // Another instance: excluded from the identity by the source's `volatile`.
  const [again] = taken(await webhook('prometheus', alertmanager('firing', { instance: 'web-2:9100' }))).findings;
  expect(again!.finding_id).toBe(first!.finding_id);
  const [other] = taken(await webhook('prometheus', alertmanager('firing', { job: 'till' }))).findings;
  expect(other!.finding_id).not.toBe(first!.finding_id);
  taken(await webhook('prometheus', alertmanager('resolved')));
  expect(await finding(first!.finding_id)).toMatchObject({ state: 'RESOLVED', occurrences: 2, history: [{ type: 'finding.opened' }, { type: 'finding.resolved', from: 'FIRING' }] });
});

test('an alert of Grafana is a finding of its source\'s subsystem, with its value', async () => {
  const [first] = taken(await webhook('grafana-main', grafana('firing'))).findings;
  expect(await finding(first!.finding_id)).toMatchObject({ rule_id: 'signal:grafana-main:Orders stuck', subsystem_id: 'shop', symptom: 'database_locked', severity: 'medium', value: 22.5, state: 'FIRING' });
  expect(taken(await webhook('grafana-main', grafana('resolved'))).findings).toMatchObject([{ finding_id: first!.finding_id, state: 'RESOLVED' }]);
});

const symptom = { rule: 'checkout-slow', subsystem_id: 'shop', symptom: 'high_latency', severity: 'high', attributes: { route: '/pay' }, value: 2.5, status: 'firing' };

test('agents and operators post symptoms; two who see one thing find one thing', async () => {
  const [first] = taken(await post(symptom)).findings;
  const [second] = taken(await post(symptom, 'operator')).findings;
  expect(second!.finding_id).toBe(first!.finding_id);
  expect(await finding(first!.finding_id)).toMatchObject({ occurrences: 2, attributes: { 'mission_control.sent_by': 'operator' } });
  // A webhook's rules are its own: nobody with a key resolves them, nor the other way round.
  const [signed] = taken(await webhook('script', symptom)).findings;
  expect(signed!.finding_id).not.toBe(first!.finding_id);
  expect(taken(await post([{ ...symptom, status: 'resolved' }])).findings).toMatchObject([{ finding_id: first!.finding_id, state: 'RESOLVED' }]);
  expect(await finding(signed!.finding_id)).toMatchObject({ state: 'FIRING' });
});

test('the resolution of what nobody found changes nothing', async () => {
  const { findings } = taken(await post({ ...symptom, rule: 'never-seen', status: 'resolved' }));
  expect(findings).toMatchObject([{ finding_id: null, state: null }]);
});

test('hostile labels are words and nothing else', async () => {
  const labels = { alertname: '<script>alert(1)</script>', '__proto__x': 'a', constructor: 'b', symptom: '../../etc/passwd', resource: "'; DROP TABLE findings; --", severity: 'constructor' };
  const [first] = taken(await webhook('grafana-main', { ...grafana('firing'), alerts: [{ status: 'firing', labels, annotations: {} }] })).findings;
  expect(await finding(first!.finding_id)).toMatchObject({ symptom: null, resource_id: null, severity: 'medium', title: '<script>alert(1)</script>' });
});

describe('refused, and nothing is kept', () => {
  const refused = (work: () => Promise<Answer>, status: number, code: string, path?: string): Promise<void> =>
    changingNothing(system.db.database, async () => expectProblem(await work(), status, code, path));
  const good = alertmanager('firing');

  test('a signature that was taken before', async () => {
    const time = nextTime();
    taken(await webhook('prometheus', good, { time }));
    await refused(() => webhook('prometheus', good, { time }), 401, 'SIGNATURE_REPLAYED');
  });

  test('one message sent ten times at once is taken once', async () => {
    const time = nextTime();
    const answers = await Promise.all(Array.from({ length: 10 }, () => webhook('prometheus', good, { time })));
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([202, ...Array.from({ length: 9 }, () => 401)]);
  });

  test.each([-301, 301])('a signature %d s away', (away) => refused(() => webhook('prometheus', good, { time: seconds() + away + Math.sign(away) * 5 }), 401, 'SIGNATURE_EXPIRED'));

  test('another secret, another body, another time, another form', async () => {
    const time = nextTime();
    const body = JSON.stringify(good);
    await refused(() => webhook('prometheus', good, { signature: signatureOf('guessed', time, body), time }), 401, 'SIGNATURE_INVALID');
    await refused(() => webhook('prometheus', good, { body: `${body} `, signature: signatureOf(secret, time, body), time }), 401, 'SIGNATURE_INVALID');
    await refused(() => webhook('prometheus', good, { signature: signatureOf(secret, time - 1, body), time }), 401, 'SIGNATURE_INVALID');
    for (const signature of ['', 'x', 'a'.repeat(63)]) await refused(() => webhook('prometheus', good, { signature, time }), 401, 'SIGNATURE_INVALID');
  });

  test('a source that is not declared, and one whose secret is not set, look like a wrong signature', async () => {
    await refused(() => webhook('nobody', good), 401, 'SIGNATURE_INVALID');
    await refused(() => webhook('unset', symptom), 401, 'SIGNATURE_INVALID');
    await refused(() => webhook('unset', symptom, { time: 1, signature: signatureOf('', 1, JSON.stringify(symptom)) }), 401, 'SIGNATURE_INVALID');
  });

  test('no signature: a key does as well, of somebody who may; that is what Alertmanager and Grafana can send', async () => {
    await refused(() => call(system.url, '/mission-control/signals/prometheus', { json: good }), 401, 'AUTH_REQUIRED');
    await refused(() => call(system.url, '/mission-control/signals/prometheus', { json: good, key: keys.get('viewer')! }), 403, 'FORBIDDEN');
    await refused(() => call(system.url, '/mission-control/signals/nobody', { json: good, key: keys.get('admin')! }), 404, 'SOURCE_NOT_FOUND');
    await refused(() => call(system.url, '/mission-control/signals/prometheus', { json: {}, key: keys.get('admin')! }), 400, 'INVALID_REQUEST');
    expect(await call(system.url, '/mission-control/signals/prometheus', { json: good, key: keys.get('operator')! })).toMatchObject({ status: 202, body: { accepted: 1 } });
    await refused(() => call(system.url, '/mission-control/signals/nobody', { json: good, key: keys.get('admin')! }), 404, 'SOURCE_NOT_FOUND');
  });

  test('a signed body that is not of the source\'s kind', async () => {
    await refused(() => webhook('prometheus', grafana('firing')), 400, 'INVALID_REQUEST', 'version');
    await refused(() => webhook('prometheus', { ...good, alerts: [] }), 400, 'INVALID_REQUEST', 'alerts');
    await refused(() => webhook('prometheus', alertmanager('firing', { subsystem: '' })), 422, 'SIGNAL_UNUSABLE', 'alerts.0.labels.subsystem_id');
    await refused(() => webhook('prometheus', null, { body: '{"alerts":' }), 400, 'INVALID_JSON');
    await refused(() => webhook('script', { ...symptom, colour: 'red' }), 400, 'INVALID_REQUEST');
  });

  test('more than 256 KiB, more than 200 signals, more than 64 attributes', async () => {
    await refused(() => webhook('prometheus', null, { body: `{"x":"${'x'.repeat(300_000)}"}` }), 413, 'BODY_TOO_LARGE');
    await refused(() => post({ ...symptom, summary: 'x'.repeat(300_000) }), 413, 'BODY_TOO_LARGE');
    await refused(() => post(Array.from({ length: 201 }, () => symptom)), 400, 'INVALID_REQUEST');
    await refused(() => post({ ...symptom, attributes: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, 'x'])) }), 400, 'INVALID_REQUEST', 'attributes');
  });

  test('half a message: one bad alert spoils all of it', () => refused(() =>
    webhook('prometheus', { ...good, alerts: [...good.alerts, { status: 'firing', labels: { alertname: 7 } }] }), 400, 'INVALID_REQUEST', 'alerts.1.labels.alertname'));

  test.each<[string, unknown, string]>([
    ['a value that is no number', { ...symptom, value: 'NaN' }, 'value'], ['no status', { ...symptom, status: undefined }, 'status'],
    ['an unknown severity', { ...symptom, severity: 'fatal' }, 'severity'], ['a subsystem with a slash', { ...symptom, subsystem_id: 'a/b' }, 'subsystem_id'],
    ['a NUL in an attribute', { ...symptom, attributes: { a: '\0' } }, 'attributes.a'],
  ])('%s', (_name, json, path) => refused(() => post(json), 400, 'INVALID_REQUEST', path));

  test.each(['viewer', 'approver'] as const)('%s posts no symptom', (role) => refused(() => post(symptom, role), 403, 'FORBIDDEN'));
});

describe('silences', () => {
  const until = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const silence = (json: unknown, role: Role = 'operator') => call(system.url, '/mission-control/silences', { key: keys.get(role)!, json });
  const good = { matchers: { rule_id: 'signal:noisy' }, reason: 'being replaced', until: until(60_000) };

  test('silenced, a signal is still a finding; the end of the silence is an event', async () => {
    const made = await silence(good);
    expect(made.status, made.text).toBe(201);
    const [noisy] = taken(await post({ ...symptom, rule: 'noisy' })).findings;
    expect(noisy).toMatchObject({ state: 'SILENCED' });
    const listed = await call(system.url, '/mission-control/silences', { key: keys.get('viewer')! });
    expect(listed.body['items']).toMatchObject([{ silence_id: made.body['silence_id'], created_by: 'operator', reason: 'being replaced', removed_at: null }]);
    const path = `/mission-control/silences/${String(made.body['silence_id'])}`;
    const removed = await call(system.url, path, { key: keys.get('operator')!, method: 'DELETE' });
    expect(removed.body['removed_at']).toEqual(expect.any(String));
    expect((await call(system.url, path, { key: keys.get('operator')!, method: 'DELETE' })).body['removed_at']).toBe(removed.body['removed_at']);
    expect(taken(await post({ ...symptom, rule: 'noisy' })).findings).toMatchObject([{ state: 'FIRING' }]);
  });

  test.each<[string, unknown, number, string, string]>([
    ['no reason', { ...good, reason: undefined }, 400, 'INVALID_REQUEST', 'reason'], ['no end', { ...good, until: undefined }, 400, 'INVALID_REQUEST', 'until'],
    ['an end that has passed', { ...good, until: until(-1_000) }, 422, 'SILENCE_TIME', 'until'],
    ['an end in a year', { ...good, until: until(365 * 86_400_000) }, 422, 'SILENCE_TIME', 'until'],
    ['nothing to match', { ...good, matchers: {} }, 400, 'INVALID_REQUEST', 'matchers'],
    ['another matcher', { ...good, matchers: { severity: 'low' } }, 400, 'UNKNOWN_FIELD', 'matchers.severity'],
  ])('%s', (_name, json, status, code, path) => changingNothing(system.db.database, async () => expectProblem(await silence(json), status, code, path)));

  test.each(['agent', 'viewer', 'approver'] as const)('%s silences nothing', (role) =>
    changingNothing(system.db.database, async () => expectProblem(await silence(good, role), 403, 'FORBIDDEN')));
});

test('findings are listed a page after the other, by state and subsystem', async () => {
  const list = async (query: string) => (await call(system.url, `/mission-control/findings${query}`, { key: keys.get('agent')! })).body as { items: { finding_id: string; state: string }[]; next_cursor: string | null };
  for (let i = 0; i < 3; i += 1) taken(await post({ ...symptom, subsystem_id: 'pages', rule: `r${i}` }));
  const first = await list('?subsystem_id=pages&limit=2');
  const second = await list(`?subsystem_id=pages&limit=2&cursor=${encodeURIComponent(first.next_cursor ?? '')}`);
  expect([first.items.length, second.items.length, second.next_cursor]).toEqual([2, 1, null]);
  expect((await list('?subsystem_id=pages&state=RESOLVED')).items).toEqual([]);
  expect((await list('?subsystem_id=pages&open=true&state=FIRING')).items).toHaveLength(3);
  expectProblem(await call(system.url, '/mission-control/findings?cursor=1.forged', { key: keys.get('agent')! }), 400, 'CURSOR_INVALID');
  expectProblem(await call(system.url, '/mission-control/findings/none', { key: keys.get('agent')! }), 404, 'FINDING_NOT_FOUND');
});

describe('subsystems', () => {
  const get = (path: string) => call(system.url, `/mission-control/subsystems${path}`, { key: keys.get('viewer')! });

  test('every part of ours is there; what was not measured is unknown and says why', async () => {
    const items = (await get('')).body['items'] as { id: string; state: string; reason: string | null; measured_at: string | null }[];
    expect(items.map((one) => one.id)).toEqual(['api', 'worker', 'temporal', 'postgres', 'sealer', 'event_stream', 'artifact_store', 'workspaces', 'scheduler', 'merge_queues', 'metric_sources', 'sandbox', 'agents', 'governance']);
    expect(items.find((one) => one.id === 'sealer')).toMatchObject({ state: 'unknown', reason: 'nothing has measured it yet', measured_at: null });
    expect(items.find((one) => one.id === 'postgres')).toMatchObject({ state: 'healthy' });
    expect(items.find((one) => one.id === 'artifact_store')).toMatchObject({ state: 'unknown', reason: 'nothing has measured it yet' });
  });

  test('a declared one that nobody measures is unknown, and so is all of it', async () => {
    await system.configure('subsystems.yaml', 'subsystems: {shop: {name: The shop, depends_on: [postgres], probes: [{id: front, kind: temporal}]}}');
    taken(await post({ ...symptom, rule: 'shown' }));
    const shop = await get('/shop');
    expect(shop.body).toMatchObject({ id: 'shop', name: 'The shop', state: 'unknown', measured_at: null, depends_on: ['postgres'], built_in: false });
    expect((shop.body['open_findings'] as { title: string }[]).map((one) => one.title)).toContain('shown of shop');
    expectProblem(await get('/nobody'), 404, 'SUBSYSTEM_NOT_FOUND');
  });
});

test('metrics of probes are in the catalog, and nobody else measures or defines them', async () => {
  const { body } = await call(system.url, '/mission-control/metrics', { key: keys.get('viewer')! });
  expect((body['items'] as { metric_id: string }[]).find((one) => one.metric_id === 'health.postgres.self')).toMatchObject({ comparator: '==', target: 1 });
  await changingNothing(system.db.database, async () => {
    const path = '/mission-control/metrics/health.postgres.self';
    expectProblem(await call(system.url, `${path}/observations`, { key: keys.get('admin')!, json: { value: 1 } }), 409, 'METRIC_OF_PROBE');
    expectProblem(await call(system.url, path, { key: keys.get('admin')!, method: 'PUT', json: { comparator: '<', target: 2 } }), 409, 'METRIC_OF_PROBE');
  });
});
