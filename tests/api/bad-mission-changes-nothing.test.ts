import { rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, changingNothing, expectProblem, keyFor } from '../support/http.ts';
import { calculator, fixedAdd, makeRepository, temporaryFolder, type TestRepository } from '../support/repository.ts';
import { missionBody, startSystem, testMetric, type System } from '../support/system.ts';

let system: System;
let key: string;
let repository: TestRepository;
let outside: TestRepository;

beforeAll(async () => {
  system = await startSystem();
  key = await keyFor(system, 'sender', 'agent');
  repository = system.repository(calculator);
  outside = makeRepository(temporaryFolder(), calculator);
  // So that a refusal below has nothing left to register.
  await call(system.url, '/mission-control/missions', { key, json: good() });
});
afterAll(async () => {
  rmSync(dirname(outside.path), { recursive: true, force: true });
  await system.stop();
});

const good = (): Record<string, unknown> => missionBody(repository, [repository.diff(fixedAdd)]);

type Change = (body: Record<string, unknown>) => void;

/** Sets `path` in a body; the rest stays good. */
const set = (path: string, value: unknown): Change => (body) => {
  const parts = path.split('.');
  const last = parts.pop()!;
  let place = body;
  for (const part of parts) place = (place[part] ??= {}) as Record<string, unknown>;
  if (value === undefined) delete place[last];
  else place[last] = value;
};
const both = (...changes: Change[]): Change => (body) => { for (const change of changes) change(body); };

async function refused(change: Change, status: number, code: string, path?: string): Promise<void> {
  const body = good();
  change(body);
  await changingNothing(system.db.database, async () => {
    expectProblem(await call(system.url, '/mission-control/missions', { key, json: body }), status, code, path);
  });
}

const long = (n: number): string => 'x'.repeat(n);
const target = { metric_id: testMetric, comparator: '<', target: 1 };
const observed = (window: unknown, more: Record<string, unknown> = {}): Change =>
  set('acceptance_criteria', { must_pass_tests: [], observation_window: window, ...more });

test('the body that every case below spoils is good, and writes a mission', async () => {
  const answer = await call(system.url, '/mission-control/missions', { key, json: good() });
  expect(answer.status, answer.text).toBe(201);
  expect(answer.headers.get('location')).toBe(`/mission-control/missions/${String(answer.body['mission_id'])}`);
});

describe('a field that is wrong is named', () => {
  test.each<[string, Change, string, string]>([
    ['an unknown field', set('priority', 1), 'UNKNOWN_FIELD', 'priority'],
    ['a field that only we may set', set('status', 'resolved'), 'UNKNOWN_FIELD', 'status'],
    ['an id of the sender', set('mission_id', 'mission_20250101_001'), 'UNKNOWN_FIELD', 'mission_id'],
    ['a forged author', set('created_by', 'root'), 'UNKNOWN_FIELD', 'created_by'],
    ['an unknown nested field', set('workspace.shell', 'rm'), 'UNKNOWN_FIELD', 'workspace.shell'],
    ['an unknown field of a list item', set('symptoms', [{ description: 'x', colour: 1 }]), 'UNKNOWN_FIELD', 'symptoms.0.colour'],
    ['a command in a mission', set('workspace.commands', { test: { argv: ['sh'] } }), 'UNKNOWN_FIELD', 'workspace.commands'],
    ['no severity', set('severity', undefined), 'INVALID_REQUEST', 'severity'],
    ['a severity we do not know', set('severity', 'urgent'), 'INVALID_REQUEST', 'severity'],
    ['no subsystem', set('subsystem_id', undefined), 'INVALID_REQUEST', 'subsystem_id'],
    ['a subsystem that is no slug', set('subsystem_id', '../etc'), 'INVALID_REQUEST', 'subsystem_id'],
    ['a number for a text', set('title', 7), 'INVALID_REQUEST', 'title'],
    ['a text for a list', set('symptoms', 'slow'), 'INVALID_REQUEST', 'symptoms'],
    ['a text for a boolean', set('execute', 'true'), 'INVALID_REQUEST', 'execute'],
    ['a list for an object', set('workspace', []), 'INVALID_REQUEST', 'workspace'],
    ['null for an object', set('context', null), 'INVALID_REQUEST', 'context'],
    ['an empty title', set('title', ''), 'INVALID_REQUEST', 'title'],
    ['a title of 201', set('title', long(201)), 'INVALID_REQUEST', 'title'],
    ['a description of 10,001', set('description', long(10_001)), 'INVALID_REQUEST', 'description'],
    ['201 labels', set('labels', Array(201).fill('x')), 'INVALID_REQUEST', 'labels'],
    ['a diff over 1 MiB', set('workspace.patch_candidates', [{ kind: 'diff', text: long(1_048_577) }]), 'INVALID_REQUEST', 'workspace.patch_candidates.0.text'],
    ['a candidate of an unknown kind', set('workspace.patch_candidates', [{ kind: 'url', ref: 'x' }]), 'INVALID_REQUEST', 'workspace.patch_candidates.0.kind'],
    ['a candidate branch that looks like an option', set('workspace.patch_candidates', [{ kind: 'branch', ref: '--output=/tmp/x' }]), 'GIT_REF_INVALID', 'workspace.patch_candidates.0.ref'],
    ['a candidate commit that is a name', set('workspace.patch_candidates', [{ kind: 'commit', ref: 'HEAD~1' }]), 'GIT_REF_INVALID', 'workspace.patch_candidates.0.ref'],
    ['an artefact that is no digest', set('workspace.patch_candidates', [{ kind: 'diff', artifact: '../../etc/passwd' }]), 'INVALID_REQUEST', 'workspace.patch_candidates.0.artifact'],
    ['NUL in a text', set('title', 'a\0b'), 'INVALID_REQUEST', 'title'],
    ['NUL deep inside', set('symptoms', [{ description: 'a\0b' }]), 'INVALID_REQUEST', 'symptoms.0.description'],
    ['half a surrogate pair', set('title', 'a\ud800b'), 'INVALID_REQUEST', 'title'],
    ['the other half', set('labels', ['\udc00']), 'INVALID_REQUEST', 'labels.0'],
    ['a diff that is no Unicode', set('workspace.patch_candidates', [{ kind: 'diff', text: '+\ud800' }]), 'INVALID_REQUEST', 'workspace.patch_candidates.0.text'],
    ['a trust score over 1', set('trust_requirements.required_trust_score', 1.1), 'INVALID_REQUEST', 'trust_requirements.required_trust_score'],
    ['a budget below 0', set('budget', { tokens: -1 }), 'INVALID_REQUEST', 'budget.tokens'],
    ['a broken budget', set('budget', { tokens: 1.5 }), 'INVALID_REQUEST', 'budget.tokens'],
    ['a window of 0 minutes', set('acceptance_criteria.observation_window_minutes', 0), 'INVALID_REQUEST', 'acceptance_criteria.observation_window_minutes'],
    ['a coverage over 1', observed({ metrics: 'none', reason: 'x', min_coverage: 2 }), 'INVALID_REQUEST', 'acceptance_criteria.observation_window.min_coverage'],
    ['a metric with neither target nor baseline', observed({ metrics: [{ metric_id: testMetric, comparator: '<' }] }), 'INVALID_REQUEST', 'acceptance_criteria.observation_window.metrics.0.target'],
    ['a baseline that tolerates what we do not know', observed({ metrics: [{ ...target, baseline: { kind: 'prechange' } }] }), 'INVALID_REQUEST', 'acceptance_criteria.observation_window.metrics.0.baseline.max_ratio'],
    ['an effect of confounders that we do not know', observed({ metrics: [target], confounders: 'ignore' }), 'INVALID_REQUEST', 'acceptance_criteria.observation_window.confounders'],
    ['a subject without a revision', observed({ metrics: [target], subject: { kind: 'commit' } }), 'INVALID_REQUEST', 'acceptance_criteria.observation_window.subject.revision'],
    ['a metric that is misspelt inside a list', observed({ metrics: [{ ...target, tarrget: 1 }] }), 'UNKNOWN_FIELD', 'acceptance_criteria.observation_window.metrics.0.tarrget'],
    ['a parent that is no id', set('parent_mission_id', "x' OR 1=1"), 'INVALID_REQUEST', 'parent_mission_id'],
    ...['-x', '--output=/tmp/x', 'a..b', 'refs/heads/main', 'a b', 'a~1', 'x.lock', '@', 'HEAD', 'a\0b', '', '/a', 'a\\b'].flatMap((name) =>
      ['workspace.target_branch', 'workspace.working_branch', 'workspace_branch'].map((field): [string, Change, string, string] =>
        [`${field} ${JSON.stringify(name)}`, set(field, name), 'GIT_REF_INVALID', field])),
  ])('%s: 400', (_name, change, code, path) => refused(change, 400, code, path));
});

describe('what every field allows and the whole does not', () => {
  const window = 'acceptance_criteria.observation_window';
  test.each<[string, Change, string, string]>([
    ['nothing is observed', observed(undefined), 'OBSERVATION_MISSING', `${window}.metrics`],
    ['a window without metrics', observed({ duration_minutes: 1 }), 'OBSERVATION_MISSING', `${window}.metrics`],
    ['two lengths of one window', observed({ metrics: 'none', reason: 'x', duration_minutes: 2 }, { observation_window_minutes: 1 }), 'INVALID_MISSION', `${window}.duration_minutes`],
    ['"none" without a reason', observed({ metrics: 'none' }), 'INVALID_MISSION', `${window}.reason`],
    ['"none" and a target', observed({ metrics: 'none', reason: 'x' }, { metric_targets: [target] }), 'INVALID_MISSION', `${window}.metrics`],
    ['a target on an unknown metric', observed(undefined, { metric_targets: [{ ...target, metric_id: 'no.such' }] }), 'METRIC_UNKNOWN', 'acceptance_criteria.metric_targets.0.metric_id'],
    ['a window on an unknown metric', observed({ metrics: [{ ...target, metric_id: 'no.such' }] }), 'METRIC_UNKNOWN', `${window}.metrics.0.metric_id`],
    ['a peer that is an unknown metric', observed({ metrics: [{ ...target, baseline: { kind: 'peer', peer_metric_id: 'no.such', max_ratio: 2 } }] }), 'METRIC_UNKNOWN', `${window}.metrics.0.baseline.peer_metric_id`],
    ['fewer ticks than samples asked for', observed({ metrics: [target], initial_delay_seconds: 0, interval_seconds: 60, min_samples: 4 }, { observation_window_minutes: 2 }), 'INVALID_MISSION', `${window}.min_samples`],
    ['fewer ticks than the default asks for', observed({ metrics: [target], interval_seconds: 60 }, { observation_window_minutes: 1 }), 'INVALID_MISSION', `${window}.min_samples`],
    ['fewer ticks than must pass in a row', observed({ metrics: [{ ...target, consecutive_success_limit: 20 }] }, { observation_window_minutes: 1 }), 'INVALID_MISSION', `${window}.metrics.0.consecutive_success_limit`],
    ['more samples than a worker can lay out', observed({ metrics: [target], interval_seconds: 0.000_001 }), 'INVALID_MISSION', `${window}.interval_seconds`],
    ['more samples than a worker can lay out, in a window of days', observed({ metrics: [target], interval_seconds: 1 }, { observation_window_minutes: 10_080 }), 'INVALID_MISSION', `${window}.interval_seconds`],
    ['no repository', set('workspace.repo_path', undefined), 'REPOSITORY_MISSING', 'workspace'],
    ['two repositories', set('workspace.repository', 'x'), 'REPOSITORY_MISSING', 'workspace'],
    ['a path given twice', set('workspace_repo_path', '/x'), 'INVALID_MISSION', 'workspace_repo_path'],
    ['an unknown repository', both(set('workspace.repo_path', undefined), set('workspace.repository', 'no-such')), 'REPOSITORY_UNKNOWN', 'workspace.repository'],
    ['an unknown branch', set('workspace.target_branch', 'no/such'), 'BRANCH_UNKNOWN', 'workspace.target_branch'],
    ['an unknown parent', set('parent_mission_id', 'mission_20200101_001'), 'PARENT_UNKNOWN', 'parent_mission_id'],
    ['an artefact nobody stored', set('workspace.patch_candidates', [{ kind: 'diff', artifact: '0'.repeat(64) }]), 'ARTIFACT_UNKNOWN', 'workspace.patch_candidates.0.artifact'],
    ['a healing mission', set('mission_type', 'healing'), 'NOT_OFFERED', 'mission_type'],
    ['a tracked mission with a workspace', set('mission_type', 'tracked'), 'INVALID_MISSION', 'workspace'],
    ['a coding mission that is tracked', set('tracked', {}), 'INVALID_MISSION', 'tracked'],
    ['a signature by an unknown key', set('crypto_signatures', [{ key_id: 'k', signature: 's' }]), 'SIGNATURE_INVALID', 'crypto_signatures.0'],
    ['a dependency that is not there', set('workspace.dependencies', ['mission_20250101_001']), 'DEPENDENCY_UNKNOWN', 'workspace.dependencies.0'],
  ])('%s: 422', (_name, change, code, path) => refused(change, 422, code, path));

  test('missions nest three deep and no deeper', async () => {
    let parent: string | undefined;
    for (let depth = 0; depth < 4; depth += 1) {
      const answer = await call(system.url, '/mission-control/missions', { key, json: { ...good(), ...(parent === undefined ? {} : { parent_mission_id: parent }) } });
      expect(answer.status, `depth ${depth}: ${answer.text}`).toBe(201);
      parent = String(answer.body['mission_id']);
    }
    await refused(set('parent_mission_id', parent), 422, 'TOO_DEEP', 'parent_mission_id');
  });
});

describe('a path outside of the roots is refused', () => {
  const at = (path: string): Change => set('workspace.repo_path', path);
  const field = 'workspace.repo_path';

  test.each([
    ['relative', 'repositories/x'], ['the root of the disk', '/'], ['a system folder', '/etc'], ['a file', '/etc/passwd'],
    ['nothing there', '/no/such/place'], ['an option', '--upload-pack=touch /tmp/x'], ['a URL', 'file:///etc'],
    ['a transport', 'ext::sh -c true'], ['a home', '~/x'],
  ])('%s', (_name, path) => refused(at(path), 422, 'PATH_FORBIDDEN', field));

  test('a repository elsewhere', () => refused(at(outside.path), 422, 'PATH_FORBIDDEN', field));
  test('by way of ..', () => refused(at(join(system.home, 'repositories', '..', '..', outside.path.slice(5))), 422, 'PATH_FORBIDDEN', field));
  test('the data directory itself', () => refused(at(`${repository.path}/../..`), 422, 'PATH_FORBIDDEN', field));
  test('a link in the root that leads out of it', async () => {
    const link = join(system.home, 'repositories', 'innocent');
    symlinkSync(outside.path, link);
    await refused(at(link), 422, 'PATH_FORBIDDEN', field);
    await refused(at(join(link, 'test')), 422, 'PATH_FORBIDDEN', field);
  });
  test('a root with a longer name', async () => {
    const neighbour = makeRepository(`${join(system.home, 'repositories')}-of-others`, calculator);
    await refused(at(neighbour.path), 422, 'PATH_FORBIDDEN', field);
  });
  test('a folder in the root that is no repository', () =>
    refused(at(join(system.home, 'repositories')), 422, 'REPOSITORY_UNREACHABLE'));
});
