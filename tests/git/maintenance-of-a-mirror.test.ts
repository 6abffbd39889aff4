import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
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
  // A mission that nobody knows: its candidate stays.
  const commit = (await workspace.apply(fetched, repository.diff({ 'x.txt': 'x\n' }), 'nobody')).candidate!.commit;
  expect((await workspace.tidy()).failed).toBe(0);
  expect(packs().length).toBeLessThan(5);
  expect(readdirSync(folder).filter((name) => /\.keep$|^tmp_/.test(name))).toEqual([]);
  expect(await workspace.git.text(['fsck', '--full'], { gitDir: fetched.gitDir })).not.toMatch(/missing|error|broken/);
  expect(await workspace.git.text(['cat-file', '-t', commit], { gitDir: fetched.gitDir })).toBe('commit');
  expect(await workspace.mirrors.resolve(fetched.repository_id, 'refs/remotes/origin/main')).toMatchObject({ commit: repository.tip() });
});

test('a mirror that is beyond tending does not keep the others from it', async () => {
  const broken = workspace.mirrors.pathOf('repo_broken');
  writeFileSync(broken, 'a file where a mirror should be');
  writeFileSync(join(fetched.gitDir, 'objects', 'pack', 'tmp_pack_half'), 'half');
  expect((await workspace.tidy()).removed).toMatchObject([{ kind: 'ref', name: '0 of repo_broken', problem: expect.any(String) }]);
  expect(readdirSync(join(fetched.gitDir, 'objects', 'pack')).filter((name) => name.startsWith('tmp_'))).toEqual([]);
});
