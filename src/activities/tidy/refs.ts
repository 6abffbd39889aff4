/**
 * Refs of ended missions in our mirrors. A ref goes when its commit is on the target branch, or when it is kept as a git
 * bundle: work that exists nowhere else is never deleted.
 */
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Removal, WorkspaceSettings } from '../../domain/workspaces.ts';
import { originRef } from '../../git/mirror.ts';
import type { ActivityDeps } from '../deps.ts';
import { noted } from './removal.ts';

/** Several git processes each: the rest comes with the next turn. */
const refsPerTurn = 500;

interface Ref { repository_id: string; gitDir: string; name: string; commit: string; mission_id: string }

export async function tidyRefs(deps: ActivityDeps, settings: WorkspaceSettings): Promise<{ removed: Removal[]; bundled: number }> {
  const refs = await missionRefs(deps);
  const ended = new Map((await deps.database.query<{ mission_id: string; target_branch: string | null }>(
    `SELECT mission_id, package -> 'workspace' ->> 'target_branch' AS target_branch FROM missions
      WHERE mission_id = ANY($1) AND status IN ('resolved', 'escalated', 'aborted') AND ended_at < now() - make_interval(secs => $2)`,
    [[...new Set(refs.map(({ mission_id }) => mission_id))], settings.keep_hours.refs * 3_600])).map((row) => [row.mission_id, row.target_branch] as const));
  const removed: Removal[] = [];
  let bundled = 0;
  for (const ref of refs.filter(({ mission_id }) => ended.has(mission_id)).slice(0, refsPerTurn)) {
    removed.push(await noted('ref', `${ref.repository_id} ${ref.name}`, async () => {
      const target = ended.get(ref.mission_id);
      const landed = target !== null && target !== undefined && await isOn(deps, ref, originRef(target));
      if (!landed) bundled += await bundle(deps, ref, target ?? null);
      // Only as it was looked at: a ref that has moved on is kept.
      await deps.git.run(['update-ref', '-d', ref.name, ref.commit], { gitDir: ref.gitDir });
      return 0;
    }));
  }
  return { removed, bundled };
}

async function missionRefs({ git, config }: ActivityDeps): Promise<Ref[]> {
  const folder = join(config.home, 'mirrors');
  const mirrors = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.git'));
  return (await Promise.all(mirrors.map(async (mirror) => {
    const gitDir = join(folder, mirror);
    const { stdout } = await git.run(['for-each-ref', '--format=%(refname) %(objectname)', 'refs/mission-control'], { gitDir, okCodes: [128] });
    return stdout.toString('utf8').split('\n').filter((line) => line !== '').map((line): Ref => {
      const [name = '', commit = ''] = line.split(' ');
      return { repository_id: mirror.slice(0, -'.git'.length), gitDir, name, commit, mission_id: name.split('/')[2] ?? '' };
    });
  }))).flat();
}

async function isOn({ git }: ActivityDeps, { gitDir, commit }: Ref, branch: string): Promise<boolean> {
  return (await git.run(['merge-base', '--is-ancestor', commit, branch], { gitDir, okCodes: [1, 128] })).code === 0;
}

/** Keeps what the target does not have. @returns 1 */
async function bundle({ git, config, artifacts, database }: ActivityDeps, ref: Ref, target: string | null): Promise<number> {
  const file = join(config.home, 'scratch', `bundle-${randomUUID()}`);
  const known = target === null ? false : (await git.run(['rev-parse', '--verify', '--quiet', originRef(target)], { gitDir: ref.gitDir, okCodes: [1, 128] })).code === 0;
  try {
    await git.run(['bundle', 'create', '--quiet', file, ref.name, ...(known ? [`^${originRef(target!)}`] : [])], { gitDir: ref.gitDir });
    const stored = await artifacts.putFile(file, 'application/x-git-bundle');
    await database.query(
      `INSERT INTO work_bundles (mission_id, ref, commit, repository_id, sha256, size_bytes) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      [ref.mission_id, ref.name, ref.commit, ref.repository_id, stored.sha256, stored.size_bytes]);
    return 1;
  } finally {
    await Promise.all([file, `${file}.lock`].map((path) => rm(path, { force: true })));
  }
}
