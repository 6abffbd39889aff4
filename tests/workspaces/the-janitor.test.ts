import { randomUUID } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Removal } from '../../src/domain/workspaces.ts';
import { candidateRef, originRef } from '../../src/git/mirror.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let repository: TestRepository;
let fetched: Awaited<ReturnType<Workspace['fetched']>>;
let n = 0;

beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());
beforeEach(async () => {
  await workspace.configure('{}');
  repository = workspace.repository({ 'a.txt': 'one\n' });
  fetched = await workspace.fetched(repository);
});

const checkout = (holder: string): Promise<string> => workspace.worktrees.checkout(fetched.repository_id, holder, fetched.base.commit);
const query = (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => workspace.db.database.query(text, values);
const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * 3_600_000);
const removed = async (kind: Removal['kind']): Promise<Removal[]> => (await workspace.tidy()).removed.filter((removal) => removal.kind === kind);

/** A mission that ended some hours ago; with none, one that runs. */
async function mission(endedHoursAgo?: number): Promise<string> {
  n += 1;
  const id = `mission_20260101_${String(n).padStart(3, '0')}`;
  const ended = endedHoursAgo === undefined ? null : hoursAgo(endedHoursAgo).toISOString();
  await query(
    `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, status, context, created_by, created_at, updated_at, ended_at)
     VALUES ($1, '{"workspace": {"target_branch": "main"}}', 'coding', 's', 'low', 3, $2, '{}', 'test', now(), now(), $3)`,
    [id, ended === null ? 'in_progress' : 'resolved', ended]);
  return id;
}

/** Makes a file or a folder look as old as it says. */
function old(path: string, hours: number, text: string | null = 'x'): string {
  if (text === null) mkdirSync(path, { recursive: true });
  else writeFileSync(path, text);
  utimesSync(path, hoursAgo(hours), hoursAgo(hours));
  return path;
}

describe('worktrees', () => {
  test('one that is held stays as it is, byte for byte, whatever else is wrong', async () => {
    const holder = await mission();
    const path = await checkout(holder);
    writeFileSync(join(path, 'work.txt'), 'under way\n');
    await query(`UPDATE worktrees SET used_at = now() - interval '1 year' WHERE repository_id = $1`, [fetched.repository_id]);
    await workspace.configure('disk_floor_gb: 1000000\nquota_gb: 0\nkeep_hours: {idle_worktrees: 0.0001, scratch: 0.0001}\n');
    await workspace.tidy();
    expect(readFileSync(join(path, 'work.txt'), 'utf8')).toBe('under way\n');
    expect(await query('SELECT holder FROM worktrees WHERE repository_id = $1', [fetched.repository_id])).toEqual([{ holder }]);
  });

  test('one that nobody used for long goes, one used lately stays', async () => {
    const [mine, other] = [await checkout('a'), await checkout('b')];
    await Promise.all(['a', 'b'].map((holder) => workspace.worktrees.release(fetched.repository_id, holder)));
    await query(`UPDATE worktrees SET used_at = now() - interval '100 hours' WHERE repository_id = $1 AND slot = 1`, [fetched.repository_id]);
    const gone = await removed('worktree');
    expect(gone).toMatchObject([{ name: `${fetched.repository_id}/1`, problem: null }]);
    expect(gone[0]!.bytes).toBeGreaterThan(0);
    expect([existsSync(mine), existsSync(other)]).toEqual([false, true]);
  });

  test('folders that no row knows go, also those set aside and those of repositories that nobody registered', async () => {
    const folder = join(workspace.home, 'worktrees');
    const path = await checkout('c');
    const unknown = [join(folder, fetched.repository_id, '77'), join(folder, fetched.repository_id, '.aside-x'), join(folder, 'repo_unknown', '1')];
    for (const name of unknown) {
      mkdirSync(join(name, 'deep'), { recursive: true });
      writeFileSync(join(name, 'deep', 'file'), 'x'.repeat(10_000));
    }
    const gone = await removed('worktree');
    expect(gone.map(({ name }) => name).sort()).toEqual([`${fetched.repository_id}/.aside-x`, `${fetched.repository_id}/77`, 'repo_unknown/1'].sort());
    expect(unknown.map((name) => existsSync(name))).toEqual([false, false, false]);
    expect(existsSync(join(path, 'a.txt'))).toBe(true);
    expect(existsSync(join(folder, 'repo_unknown'))).toBe(false);
  });

  test('what an ended mission held is let go, and what it left running is ended', async () => {
    const holder = await mission(1);
    const path = await checkout(holder);
    const running = workspace.processes.run({ argv: ['sleep', '1000'], cwd: path, marker: holder, timeout_seconds: 600, network: false }).catch(() => undefined);
    await new Promise((resolve) => { setTimeout(resolve, 300); });
    expect(await removed('holder')).toMatchObject([{ problem: null }]);
    // Its keeper was killed with it: either way it has ended.
    await running;
    expect(await query('SELECT holder FROM worktrees WHERE repository_id = $1', [fetched.repository_id])).toEqual([{ holder: null }]);
  });

  test('a removal that was cut off is brought to its end', async () => {
    const path = await checkout('d');
    await workspace.worktrees.release(fetched.repository_id, 'd');
    expect(await workspace.worktrees.slots.beginRemoval(fetched.repository_id, 1)).toBe(true);
    // Nobody is given a worktree that is being removed.
    expect(await checkout('e')).not.toBe(path);
    await workspace.tidy();
    expect(existsSync(path)).toBe(false);
    expect(await query('SELECT slot FROM worktrees WHERE repository_id = $1', [fetched.repository_id])).toEqual([{ slot: 2 }]);
  });

  test('a janitor beside twenty missions that come and go takes nothing from any of them', async () => {
    await workspace.configure('keep_hours: {idle_worktrees: 0.0000001}\n');
    const visits = new AbortController();
    const janitor = (async () => { while (!visits.signal.aborted) await workspace.tidy(); })();
    await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const path = await checkout(`busy-${i}`);
      writeFileSync(join(path, 'mine'), String(i));
      await new Promise((resolve) => { setTimeout(resolve, 50); });
      expect(readFileSync(join(path, 'mine'), 'utf8')).toBe(String(i));
      expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('one\n');
      await workspace.worktrees.release(fetched.repository_id, `busy-${i}`);
    }));
    visits.abort();
    await janitor;
  });
});

describe('files', () => {
  test('of runs that died go once they are old; of a running command, never', async () => {
    const scratch = join(workspace.home, 'scratch');
    const gone = [old(join(scratch, `report-${randomUUID()}.ndjson`), 30), old(join(scratch, `${randomUUID()}.log`), 30)];
    const folder = old(join(scratch, randomUUID()), 30, null);
    const kept = [old(join(scratch, 'brief-young.md'), 1), join(scratch, 'git-home')];
    const told = old(join(scratch, 'brief-told.md'), 30);
    const child = spawn('sleep', ['1000'], { env: { MISSION_CONTROL_RUN: 'x', MISSION_BRIEF: told } });
    try {
      await once(child, 'spawn');
      await workspace.tidy();
    } finally {
      child.kill('SIGKILL');
    }
    expect([...gone, folder].map((path) => existsSync(path))).toEqual([false, false, false]);
    expect([...kept, told].map((path) => existsSync(path))).toEqual([true, true, true]);
    await once(child, 'close');
    await workspace.tidy();
    expect(existsSync(told)).toBe(false);
  });

  test('unfinished artefacts and tokens of long ago go; artefacts stay', async () => {
    const { sha256 } = await workspace.artifacts.put('evidence', 'text/plain');
    const path = workspace.artifacts.pathOf(sha256);
    utimesSync(path, hoursAgo(10_000), hoursAgo(10_000));
    const part = old(`${path}.${randomUUID()}`, 30);
    const young = old(`${path}.${randomUUID()}`, 1);
    mkdirSync(join(workspace.home, 'running'), { recursive: true });
    const tokens = [old(join(workspace.home, 'running', 'a'), 26), old(join(workspace.home, 'running', 'b'), 23)];
    await workspace.tidy();
    expect([path, part, young, ...tokens].map((file) => existsSync(file))).toEqual([true, false, true, false, true]);
  });
});

describe('caches', () => {
  const sizes = [400_000, 300_000, 200_000];
  async function kept(): Promise<string[]> {
    const folder = join(workspace.home, 'caches', 'dependencies', fetched.repository_id);
    mkdirSync(folder, { recursive: true });
    return Promise.all(sizes.map(async (size, i) => {
      const [key, sha256] = [`key${i}`, String(i).repeat(64)];
      const file = join(folder, `${key}-${sha256.slice(0, 16)}.tar`);
      writeFileSync(file, 'x'.repeat(size));
      await query(`INSERT INTO dependency_caches (host_id, repository_id, key, bound_path, sha256, size_bytes, roots, used_at)
                   VALUES ('this-host', $1, $2, '', $3, $4, '[]', now() - make_interval(hours => $5))`, [fetched.repository_id, key, sha256, size, 10 - i]);
      return file;
    }));
  }

  test('over the quota, what was used longest ago goes first, and no more than needed', async () => {
    const files = await kept();
    await workspace.configure(`quota_gb: ${600_000 / 1024 ** 3}\n`);
    expect((await removed('dependency_cache')).map(({ name, bytes }) => [name.split(' ')[1], bytes])).toEqual([['key0', 400_000]]);
    expect(files.map((file) => existsSync(file))).toEqual([false, true, true]);
  });

  test('what is older than it is kept goes; files that no row names go after an hour; downloads of long ago go', async () => {
    const files = await kept();
    const downloads = join(workspace.home, 'caches', 'downloads', fetched.repository_id);
    const shared = old(join(downloads, 'shared'), 400, null);
    const patch = old(join(downloads, 'of-x'), 30, null);
    const young = old(join(downloads, 'of-y'), 3, null);
    await workspace.configure('keep_hours: {dependency_caches: 9.5}\n');
    const folder = join(files[0]!, '..');
    const [part, fresh] = [old(join(folder, 'key9.x.part'), 2), join(folder, 'key8.x.part')];
    writeFileSync(fresh, 'x');
    await workspace.tidy();
    expect([...files, shared, patch, young, part, fresh].map((path) => existsSync(path))).toEqual([false, true, true, false, false, true, false, true]);
  });

  test('below the floor of free disk every cache goes', async () => {
    const files = await kept();
    await workspace.configure('disk_floor_gb: 1000000\n');
    await workspace.tidy();
    expect(files.map((file) => existsSync(file))).toEqual([false, false, false]);
  });
});

describe('refs of missions', () => {
  const refs = async (): Promise<string[]> =>
    (await workspace.git.text(['for-each-ref', '--format=%(refname)', 'refs/mission-control'], { gitDir: fetched.gitDir })).split('\n').filter((line) => line !== '');
  /** A candidate's commit, in our mirror alone. */
  async function candidate(missionId: string): Promise<string> {
    const applied = await workspace.apply(fetched, repository.diff({ 'a.txt': `of ${missionId}\n` }), missionId);
    return applied.candidate!.commit;
  }

  test('work that landed nowhere is a bundle before its ref goes, and comes back from it', async () => {
    const id = await mission(200);
    const commit = await candidate(id);
    const report = await workspace.tidy();
    expect(report).toMatchObject({ bundled: 1, failed: 0 });
    expect(await refs()).toEqual([]);
    const [kept] = await query('SELECT sha256, ref, commit FROM work_bundles WHERE mission_id = $1', [id]);
    expect(kept).toMatchObject({ ref: candidateRef(id, 1), commit });
    const events = await query(`SELECT p.payload FROM events e JOIN event_payloads p USING (event_id) WHERE e.type = 'candidates.bundled' AND e.mission_id = $1`, [id]);
    expect(events).toMatchObject([{ payload: { refs: [{ commit }], evidence: [{ sha256: kept!['sha256'], media_type: 'application/x-git-bundle' }] } }]);
    const clone = makeRepository(workspace.home, { x: 'x' });
    clone.git('fetch', '-q', repository.path, 'main');
    clone.git('fetch', '-q', workspace.artifacts.pathOf(kept!['sha256'] as string), candidateRef(id, 1));
    expect(clone.git('show', `${commit}:a.txt`)).toBe(`of ${id}\n`);
  });

  test('work that landed needs no bundle', async () => {
    const id = await mission(200);
    const commit = await candidate(id);
    await workspace.git.run(['update-ref', originRef('main'), commit], { gitDir: fetched.gitDir });
    expect((await workspace.tidy()).bundled).toBe(0);
    expect(await refs()).toEqual([]);
  });

  test('of missions that run, that ended lately, or that nobody knows, they stay', async () => {
    const ids = [await mission(), await mission(2), 'mission_19990101_001'];
    for (const id of ids) await candidate(id);
    await workspace.tidy();
    expect((await refs()).sort()).toEqual(ids.map((id) => candidateRef(id, 1)).sort());
  });

  test('a bundle that cannot be kept keeps its ref, and the report says so', async () => {
    const id = await mission(200);
    await candidate(id);
    const { artifacts } = workspace.deps;
    workspace.deps.artifacts = { ...artifacts, putFile: () => Promise.reject(new Error('no space left')) };
    try {
      expect((await workspace.tidy()).removed).toMatchObject([{ kind: 'ref', problem: 'no space left' }]);
    } finally {
      workspace.deps.artifacts = artifacts;
    }
    expect(await refs()).toEqual([candidateRef(id, 1)]);
    expect(readdirSync(join(workspace.home, 'scratch')).filter((name) => name.startsWith('bundle-'))).toEqual([]);
  });
});

test('what was done is kept for people to see', async () => {
  const report = await workspace.tidy();
  const [row] = await query('SELECT report FROM workspace_hosts WHERE host_id = $1', ['this-host']);
  expect(row).toEqual({ report });
});
