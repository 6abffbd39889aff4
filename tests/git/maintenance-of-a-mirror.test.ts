import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { mirrorUpkeepActivities } from '../../src/activities/mirror-upkeep.ts';
import type { TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let repository: TestRepository;
let fetched: Awaited<ReturnType<Workspace['fetched']>>;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());
beforeEach(async () => {
  repository = workspace.repository({ 'a.txt': 'one\n' });
  fetched = await workspace.fetched(repository);
});

const maintain = () => new MockActivityEnvironment().run(() => mirrorUpkeepActivities(workspace.deps).maintainMirrors());
const refsOf = (mission: string): Promise<string> => workspace.git.text(['for-each-ref', '--format=%(objectname)', `refs/mission-control/${mission}`], { gitDir: fetched.gitDir });

let count = 0;
/** A mission with a candidate in the mirror. @param endedDaysAgo null while it runs */
async function missionWith(status: string, endedDaysAgo: number | null): Promise<{ mission: string; commit: string }> {
  count += 1;
  const mission = `mission_20260101_${String(count).padStart(3, '0')}`;
  const applied = await workspace.apply(fetched, repository.diff({ [`${mission}.txt`]: `work of ${mission}\n` }), mission);
  await workspace.db.database.query(
    `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, status, context, created_by, created_at, updated_at, ended_at)
     VALUES ($1, '{}', 'coding', 's', 'low', 3, $2, '{}', 'test', now(), now(), clock_timestamp() - make_interval(days => $3))`, [mission, status, endedDaysAgo]);
  return { mission, commit: applied.candidate!.commit };
}

test('what landed goes once its mission is long over; what runs, ended just now, or belongs to nobody we know stays', async () => {
  const landed = await missionWith('resolved', 30);
  repository.git('fetch', '-q', fetched.gitDir, landed.commit);
  repository.git('merge', '-q', '--no-ff', '-m', 'landed', 'FETCH_HEAD');
  await workspace.mirrors.fetchTip(fetched, 'main');
  const kept = [await missionWith('in_progress', null), await missionWith('observing', null), await missionWith('aborted', 1)];
  const strange = (await workspace.apply(fetched, repository.diff({ 'x.txt': 'x\n' }), 'nobody')).candidate!.commit;
  expect(await maintain()).toEqual({ refs_removed: 1, missions_bundled: 0 });
  expect(await refsOf(landed.mission)).toBe('');
  for (const { mission, commit } of kept) expect(await refsOf(mission)).toBe(commit);
  expect(await refsOf('nobody')).toBe(strange);
});

test('what never landed lies in a bundle before it goes, and comes back from there', async () => {
  const { mission, commit } = await missionWith('escalated', 30);
  expect(await maintain()).toEqual({ refs_removed: 1, missions_bundled: 1 });
  expect(await refsOf(mission)).toBe('');
  expect(await maintain()).toEqual({ refs_removed: 0, missions_bundled: 0 });
  const [event] = await workspace.db.database.query<{ payload: { refs: { commit: string }[]; evidence: { sha256: string; media_type: string }[] } }>(
    `SELECT p.payload FROM events e JOIN event_payloads p USING (event_id) WHERE e.type = 'candidates.bundled' AND e.mission_id = $1`, [mission]);
  expect(event!.payload.refs).toMatchObject([{ commit }]);
  const bundle = workspace.artifacts.pathOf(event!.payload.evidence[0]!.sha256);
  repository.git('fetch', '-q', bundle, `refs/mission-control/${mission}/candidate-1`);
  expect(repository.git('show', `FETCH_HEAD:${mission}.txt`)).toBe(`work of ${mission}\n`);
});

test('a bundle that cannot be kept leaves the work where it is', async () => {
  const { mission, commit } = await missionWith('aborted', 30);
  const artifacts = { ...workspace.artifacts, putFile: () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' })) };
  const run = () => new MockActivityEnvironment().run(() => mirrorUpkeepActivities({ ...workspace.deps, artifacts }).maintainMirrors());
  expect(await run()).toEqual({ refs_removed: 0, missions_bundled: 0 });
  expect(await refsOf(mission)).toBe(commit);
  expect(await maintain()).toEqual({ refs_removed: 1, missions_bundled: 1 });
});

test('many packs become few, marks and halves that killed fetches left are taken away, and everything is still there', async () => {
  const folder = join(fetched.gitDir, 'objects', 'pack');
  for (let i = 0; i < 35; i += 1) {
    repository.commit({ 'a.txt': `${i}\n` });
    await workspace.mirrors.fetchTip(fetched, 'main');
  }
  const packs = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.pack'));
  const before = packs().length;
  expect(before).toBeGreaterThan(30);
  for (const name of packs().slice(0, 3)) writeFileSync(join(folder, name.replace('.pack', '.keep')), 'fetch-pack 1 on elsewhere\n');
  writeFileSync(join(folder, 'tmp_pack_half'), 'half');
  const { commit } = await missionWith('in_progress', null);
  await maintain();
  expect(packs().length).toBeLessThan(5);
  expect(readdirSync(folder).filter((name) => /\.keep$|^tmp_/.test(name))).toEqual([]);
  expect(await workspace.git.text(['fsck', '--full'], { gitDir: fetched.gitDir })).not.toMatch(/missing|error|broken/);
  expect(await workspace.git.text(['cat-file', '-t', commit], { gitDir: fetched.gitDir })).toBe('commit');
  expect(await workspace.mirrors.resolve(fetched.repository_id, 'refs/remotes/origin/main')).toMatchObject({ commit: repository.tip() });
});

test('a mirror that is beyond tending does not keep the others from it', async () => {
  const broken = workspace.mirrors.pathOf('repo_broken');
  writeFileSync(broken, 'a file where a mirror should be');
  await missionWith('escalated', 30);
  expect(await maintain()).toEqual({ refs_removed: 1, missions_bundled: 1 });
});
