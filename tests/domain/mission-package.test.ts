import { expect, test } from 'vitest';
import { createMissionSchema, maxDiffBytes, maxTextLength } from '../../src/domain/schema/mission-package.ts';
import { createRepositorySchema } from '../../src/domain/schema/repository.ts';
import { metricDefinitionSchema, observationInputSchema } from '../../src/domain/schema/metric.ts';

type Json = Record<string, unknown>;
const smallest = { subsystem_id: 'trigger_mesh', severity: 'high' };
const mission = (more: Json = {}) => createMissionSchema.safeParse({ ...smallest, ...more });
const paths = (more: Json): string[] => (mission(more).error?.issues ?? []).map((issue) =>
  [...issue.path, ...(issue.code === 'unrecognized_keys' ? issue.keys : [])].join('.'));
const workspace = (more: Json): Json => ({ workspace: { repo_path: '/r', ...more } });
const criteria = (more: Json): Json => ({ acceptance_criteria: more });
const window = (more: Json): Json => criteria({ observation_window: more });
const target = { metric_id: 'm', comparator: '<', target: 100 };

test('what is not said has the safe default: approval asked for, nothing started', () => {
  expect(mission().data).toEqual({
    ...smallest, mission_type: 'coding', context: {}, symptoms: [], labels: [], crypto_signatures: [], execute: false,
    acceptance_criteria: { must_pass_tests: [], metric_targets: [] },
    trust_requirements: { required_trust_score: 0, allowed_roles: [], memory_write_scope: 'persist', requires_governance_approval: true },
  });
});

test('a given part keeps the defaults of what it does not say', () => {
  expect(mission({ trust_requirements: { required_trust_score: 0.5 } }).data?.trust_requirements.requires_governance_approval).toBe(true);
  expect(mission(workspace({})).data?.workspace).toEqual({ repo_path: '/r', patch_candidates: [], dependencies: [] });
});

test.each<[string, Json]>([
  ['sevrity', { sevrity: 'low' }],
  ['context.gitsha', { context: { gitsha: 'a' } }],
  ['symptoms.0.metric', { symptoms: [{ description: 'slow', metric: 'm' }] }],
  ['acceptance_criteria.tests', criteria({ tests: [] })],
  ['acceptance_criteria.metric_targets.0.aggregation', criteria({ metric_targets: [{ ...target, aggregation: 'avg' }] })],
  ['acceptance_criteria.observation_window.duration', window({ duration: 30 })],
  ['acceptance_criteria.observation_window.metrics.0.limit', window({ metrics: [{ ...target, limit: 1 }] })],
  ['workspace.path', workspace({ path: '/r' })],
  ['workspace.patch_candidates.0.name', workspace({ patch_candidates: [{ kind: 'diff', text: 'd', name: 'x' }] })],
  ['trust_requirements.requires_approval', { trust_requirements: { requires_approval: false } }],
  ['budget.usd', { budget: { usd: 5 } }],
  ['mission_id', { mission_id: 'mission_20250110_001' }],
  ['created_by', { created_by: 'somebody else' }],
])('an unknown field is refused by name: %s', (path, body) => {
  // A union reports its own path, and the field below it.
  expect(paths(body).some((given) => path.startsWith(given) || given.startsWith(path))).toBe(true);
  expect(JSON.stringify(mission(body).error?.issues)).toContain(path.split('.').at(-1));
});

const long = (length: number): string => 'x'.repeat(length);
const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `item ${i}`);
test.each<[string, Json, Json]>([
  ['title', { title: long(200) }, { title: long(201) }],
  ['description', { description: long(maxTextLength) }, { description: long(maxTextLength + 1) }],
  ['subsystem_id', { subsystem_id: long(200) }, { subsystem_id: long(201) }],
  ['labels', { labels: many(200) }, { labels: many(201) }],
  ['labels', { labels: ['a'] }, { labels: [''] }],
  ['symptoms', { symptoms: many(200).map((description) => ({ description })) }, { symptoms: many(201).map((description) => ({ description })) }],
  ['acceptance_criteria.must_pass_tests', criteria({ must_pass_tests: many(200) }), criteria({ must_pass_tests: many(201) })],
  ['acceptance_criteria.observation_window_minutes', criteria({ observation_window_minutes: 0.001 }), criteria({ observation_window_minutes: 0 })],
  ['acceptance_criteria.observation_window_minutes', criteria({ observation_window_minutes: 10_080 }), criteria({ observation_window_minutes: 10_081 })],
  ['acceptance_criteria.observation_window.min_samples', window({ min_samples: 1 }), window({ min_samples: 0 })],
  ['acceptance_criteria.observation_window.min_coverage', window({ min_coverage: 1 }), window({ min_coverage: 0 })],
  ['trust_requirements.required_trust_score', { trust_requirements: { required_trust_score: 1 } }, { trust_requirements: { required_trust_score: 1.01 } }],
  ['budget.cost_micro_usd', { budget: { cost_micro_usd: 0 } }, { budget: { cost_micro_usd: 0.5 } }],
  ['budget.tokens', { budget: { tokens: 0 } }, { budget: { tokens: -1 } }],
  ['parent_mission_id', { parent_mission_id: 'mission_20250110_1000' }, { parent_mission_id: 'mission_20250110_1' }],
  ['severity', { severity: 'low' }, { severity: 'urgent' }],
  ['workspace.repo_path', workspace({ repo_path: long(4_000) }), workspace({ repo_path: long(4_001) })],
  ['workspace.target_branch', workspace({ target_branch: 'main' }), workspace({ target_branch: '--force' })],
  ['workspace_branch', { workspace_branch: 'fix/x' }, { workspace_branch: 'fix..x' }],
  ['workspace.patch_candidates.0.text', workspace({ patch_candidates: [{ kind: 'diff', text: 'é'.repeat(maxDiffBytes / 2) }] }),
    workspace({ patch_candidates: [{ kind: 'diff', text: 'é'.repeat(maxDiffBytes / 2 + 1) }] })],
  ['workspace.patch_candidates.0', workspace({ patch_candidates: [{ kind: 'diff', artifact: 'a'.repeat(64) }] }), workspace({ patch_candidates: [{ kind: 'diff' }] })],
  ['workspace.patch_candidates.0', workspace({ patch_candidates: [{ kind: 'diff', text: 'd' }] }),
    workspace({ patch_candidates: [{ kind: 'diff', text: 'd', artifact: 'a'.repeat(64) }] })],
])('%s ends at its limit', (path, allowed, refused) => {
  expect(paths(allowed)).toEqual([]);
  expect(paths(refused).some((given) => given.startsWith(path))).toBe(true);
});

test.each([NaN, Infinity, -Infinity, null, '100'])('a target of %o is refused: nothing could meet it', (value) => {
  expect(paths(criteria({ metric_targets: [{ ...target, target: value }] }))).toEqual(['acceptance_criteria.metric_targets.0.target']);
});

test('no_data: pass does not exist', () => {
  expect(mission(window({ metrics: [{ ...target, no_data: 'pass' }] })).success).toBe(false);
});

test('a metric is judged by one target: a second entry for it is refused by its path', () => {
  const other = { ...target, target: 1_000 };
  expect(paths(criteria({ metric_targets: [target, other] }))).toEqual(['acceptance_criteria.metric_targets.1.metric_id']);
  expect(paths(window({ metrics: [target, other] }))).toEqual(['acceptance_criteria.observation_window.metrics.1.metric_id']);
  const both = (metric: Json): Json => criteria({ metric_targets: [target], observation_window: { metrics: [metric] } });
  expect(paths(both({ ...target, failure_limit: 2 }))).toEqual([]);
  for (const weaker of [other, { ...target, role: 'advisory' }, { ...target, comparator: '<=' }]) {
    expect(paths(both(weaker))).toEqual(['acceptance_criteria.observation_window.metrics.0']);
  }
});

test.each(['a\0b', 'half \ud83d', '\udc00'])('%j, which PostgreSQL cannot hold, is refused in every text', (bad) => {
  expect(paths({ title: bad })).toEqual(['title']);
  expect(paths(criteria({ must_pass_tests: [bad] }))).toEqual(['acceptance_criteria.must_pass_tests.0']);
  expect(paths(window({ metrics: 'none', reason: bad }))).toEqual(['acceptance_criteria.observation_window.reason']);
  expect(paths(workspace({ target_branch: bad }))).toEqual(['workspace.target_branch']);
  expect(metricDefinitionSchema.safeParse({ comparator: '<', target: 1, description: bad }).success).toBe(false);
  expect(observationInputSchema.safeParse({ value: 1, observed_revision: bad }).success).toBe(false);
  expect(createRepositorySchema.safeParse({ name: 'r', path: '/r', protected_paths: [bad] }).success).toBe(false);
  expect(mission({ title: 'whole 😀 pairs' }).success).toBe(true);
});

test('a repository has a path or a URL, not both and not neither', () => {
  const repository = (more: Json) => createRepositorySchema.safeParse({ name: 'r', ...more }).success;
  expect([repository({ path: '/r' }), repository({ url: 'https://h/r' }), repository({}), repository({ path: '/r', url: 'https://h/r' })])
    .toEqual([true, true, false, false]);
});
