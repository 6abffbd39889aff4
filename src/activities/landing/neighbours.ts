/** Whom a landing meets on the branch: commits that came after its base, and the missions that landed them. */
import type { LandedNeighbour, LandingRequest } from '../../domain/landing.ts';
import { missionsThatLanded } from '../../store/missions.ts';
import type { ActivityDeps } from '../deps.ts';
import { changedFiles } from '../workspace.ts';

/** Nobody reads more; the newest are the likeliest. */
const neighboursNamed = 50;

/**
 * First-parent commits after `since`, newest first, at most 50. For a revert only those that touch what it takes back;
 * a landing that fails on the merged tree may be at odds with any of them.
 */
export async function landedSince(deps: Pick<ActivityDeps, 'git' | 'mirrors' | 'database'>, request: LandingRequest, since: string, tip: string): Promise<LandedNeighbour[]> {
  const { git, mirrors, database } = deps;
  const gitDir = mirrors.pathOf(request.repository_id);
  const files = request.kind === 'revert' ? await changedFiles(deps, gitDir, `${since}^1`, since) : [];
  const log = await git.run(['log', '--first-parent', `--max-count=${neighboursNamed}`, '-z', '--format=%H', '--end-of-options', `${since}..${tip}`,
    ...(files.length === 0 ? [] : ['--', ...files.slice(0, 1_000).map((file) => `:(literal)${file}`)])], { gitDir });
  const commits = log.stdout.toString('utf8').split('\0').filter((commit) => commit !== '' && commit !== request.head);
  const missions = await missionsThatLanded(database.query, commits);
  return commits.map((commit) => ({ commit, mission_id: missions.get(commit) ?? null }));
}
