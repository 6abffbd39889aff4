/**
 * Upkeep of one mirror, under its lock: the refs of missions that are long over go, when what they hold has landed or lies
 * in a bundle; what killed fetches left goes; packs are put together. Work that nobody has elsewhere is never deleted.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Git } from './git.ts';
import type { Mirrors } from './mirror.ts';

export interface MissionRef { name: string; commit: string }

export interface Upkeep {
  git: Git;
  mirrors: Mirrors;
  /** Folder for a bundle while it is written. */
  scratch: string;
  /** Of these missions, those that ended long enough ago. One that nobody knows is not among them. */
  longOver(missionIds: readonly string[]): Promise<Set<string>>;
  /** Takes a bundle's file into safe keeping; the refs are deleted only after it has. Safe to repeat. */
  keep: (missionId: string, file: string, refs: readonly MissionRef[]) => Promise<void>;
}

export interface UpkeepDone { refs_removed: number; missions_bundled: number }

const prefix = 'refs/mission-control/';
/** What the origin has: everything we last fetched of it. */
const fromOrigin = '--glob=refs/remotes/origin/*';
/** Each fetch brings a pack; many of them make every look slower. */
const gcSettings = [
  '-c', 'gc.auto=2000', '-c', 'gc.autoPackLimit=30', '-c', 'gc.autoDetach=false', '-c', 'gc.writeCommitGraph=false',
  // Worktrees are somebody else's to tidy, and one whose disk is away for a while is not gone.
  '-c', 'gc.worktreePruneExpire=never', '-c', 'gc.pruneExpire=2.weeks.ago',
];

export async function maintainMirror(upkeep: Upkeep, repositoryId: string): Promise<UpkeepDone> {
  const { git, mirrors } = upkeep;
  return mirrors.exclusively(repositoryId, async () => {
    const gitDir = mirrors.pathOf(repositoryId);
    await mirrors.restoreConfig(repositoryId);
    await removeLeftovers(join(gitDir, 'objects', 'pack'));
    const done = await retireRefs(upkeep, gitDir);
    await git.run([...gcSettings, 'gc', '--auto', '--quiet'], { gitDir });
    return done;
  });
}

/** Half-written packs, and the marks by which a fetch keeps its pack from being repacked while it runs. None runs now. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const isMark = name.endsWith('.keep') && (await readFile(join(folder, name), 'utf8')).startsWith('fetch-pack ');
    if (isMark || /^tmp_(pack|idx|rev)_/.test(name)) await rm(join(folder, name), { force: true });
  }
}

async function retireRefs(upkeep: Upkeep, gitDir: string): Promise<UpkeepDone> {
  const { git } = upkeep;
  const said = await git.text(['for-each-ref', '--format=%(refname) %(objectname)', prefix], { gitDir });
  const refs = said.split('\n').filter((line) => line !== '').map((line): MissionRef => {
    const [name, commit] = line.split(' ') as [string, string];
    return { name, commit };
  });
  const byMission = new Map<string, MissionRef[]>();
  for (const ref of refs) {
    const mission = ref.name.slice(prefix.length).split('/')[0]!;
    byMission.set(mission, [...(byMission.get(mission) ?? []), ref]);
  }
  const over = await upkeep.longOver([...byMission.keys()]);
  const done: UpkeepDone = { refs_removed: 0, missions_bundled: 0 };
  for (const [mission, own] of byMission) {
    if (!over.has(mission)) continue;
    if (await holdsMore(git, gitDir, own)) {
      await bundle(upkeep, gitDir, mission, own);
      done.missions_bundled += 1;
    }
    // Only while they are what was looked at.
    const input = own.map(({ name, commit }) => `delete ${name} ${commit}\n`).join('');
    await git.run(['update-ref', '--stdin'], { gitDir, input });
    done.refs_removed += own.length;
  }
  return done;
}

/** Whether a ref leads to a commit that the origin does not have. */
async function holdsMore(git: Git, gitDir: string, refs: readonly MissionRef[]): Promise<boolean> {
  const input = refs.map(({ commit }) => `${commit}\n`).join('');
  return await git.text(['rev-list', '--max-count=1', '--stdin', '--not', fromOrigin], { gitDir, input }) !== '';
}

async function bundle(upkeep: Upkeep, gitDir: string, mission: string, refs: readonly MissionRef[]): Promise<void> {
  const { git, scratch } = upkeep;
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const file = join(scratch, `bundle-${randomUUID()}`);
  try {
    await git.run(['bundle', 'create', '--quiet', file, ...refs.map(({ name }) => name), '--not', fromOrigin], { gitDir });
    await git.run(['bundle', 'verify', '--quiet', file], { gitDir });
    await upkeep.keep(mission, file, refs);
  } finally {
    await rm(file, { force: true });
  }
}
