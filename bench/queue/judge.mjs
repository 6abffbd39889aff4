/** What every part is judged by: whether what landed was tested, and whether anything landed that should not have. */
import { firstParents } from '../repositories.mjs';
import { until } from '../launched.mjs';

/** A repository with a plain test of everything in `parts/`, which every change there is in. */
export const testedRepository = {
  'package.json': JSON.stringify({ name: 'tested', private: true, type: 'module', scripts: { test: 'node --test' } }),
  'shared.txt': 'nobody\n', 'other.txt': 'nobody\n', 'parts/first': 'yes\n',
  'test/whole.test.js': [
    "import assert from 'node:assert/strict';", "import { readdirSync, readFileSync } from 'node:fs';", "import test from 'node:test';",
    "test('whole', () => { for (const name of readdirSync('parts')) assert.equal(readFileSync(`parts/${name}`, 'utf8'), 'yes\\n'); });", '',
  ].join('\n'),
};

export const mustPass = { acceptance_criteria: { must_pass_tests: ['whole'], observation_window_minutes: 0.001, observation_window: { metrics: 'none', reason: 'bench' } } };

/** Waits until none of the missions runs any more. @returns them; those that still run after `seconds` are as they are then */
export async function whenAllEnded({ call }, ids, seconds = 900) {
  const deadline = Date.now() + seconds * 1_000;
  const ended = new Map();
  await until(async () => {
    for (const id of ids) {
      if (ended.has(id)) continue;
      const mission = await call('GET', `/missions/${id}`);
      if (mission.ended_at !== null) ended.set(id, mission);
    }
    return ended.size === ids.length || Date.now() > deadline;
  }, 1_000);
  return Promise.all(ids.map((id) => ended.get(id) ?? call('GET', `/missions/${id}`)));
}

/**
 * Of the landed missions, those whose landed tree has no passed test run in their own evidence: the tree as the repository
 * names it, the run as it is stored.
 */
export async function untested({ call }, path, missions) {
  const landed = new Map(firstParents(path).map(({ commit, tree }) => [commit, tree]));
  const wrong = [];
  for (const { mission_id, landed_commit } of missions) {
    const tree = landed.get(landed_commit);
    const { items } = await call('GET', `/missions/${mission_id}/evidence`);
    const runs = await Promise.all(items.filter(({ kind }) => kind === 'test_run').map(({ sha256 }) => call('GET', `/artifacts/${sha256}`)));
    if (!runs.some((run) => run.tree === tree && run.exit_code === 0 && run.report?.cases.some(({ path: names, status }) => names.at(-1) === 'whole' && status === 'passed'))) {
      wrong.push(mission_id);
    }
  }
  return wrong;
}

export const landedOnes = (missions) => missions.filter(({ landed_commit }) => landed_commit !== null);

/** Every timeline event of a type, of all these missions. */
export async function eventsOf({ call }, missions, type) {
  const timelines = await Promise.all(missions.map(({ mission_id }) => call('GET', `/missions/${mission_id}/timeline`)));
  return timelines.flatMap(({ items }, i) => items.filter((event) => event.type === type).map((event) => ({ ...event, mission_id: missions[i].mission_id })));
}
