/** Part 2: missions land while somebody else pushes to the same branch in a loop. */
import { join } from 'node:path';
import { addsFile, missionOn } from '../launched.mjs';
import { bareRepository, firstParents, git } from '../repositories.mjs';
import { landedOnes, mustPass, testedRepository, untested, whenAllEnded } from './judge.mjs';

/** A developer commits now and then, however long we take: often enough that landings lose, seldom enough that some win. */
const pauseMs = 1_500;

async function committer(origin, folder, stopped) {
  git('/', 'clone', '-q', origin, folder);
  const mine = [];
  let lost = 0;
  for (let i = 0; !stopped(); i += 1) {
    git(folder, 'fetch', '-q', 'origin', 'main');
    git(folder, 'reset', '-q', '--hard', 'origin/main');
    git(folder, 'commit', '-q', '--allow-empty', '-m', `outside ${i}`);
    const commit = git(folder, 'rev-parse', 'HEAD');
    // His push is refused too when we were faster; then he begins again, as anybody does.
    try {
      git(folder, 'push', '-q', 'origin', 'HEAD:main');
      mine.push(commit);
    } catch {
      lost += 1;
    }
    await new Promise((resolve) => { setTimeout(resolve, pauseMs * (0.5 + (i % 5) / 4)); });
  }
  return { mine, lost };
}

export async function besideACommitter({ system, check }, count) {
  const { call } = system;
  const path = bareRepository(join(system.home, 'repositories', 'moving.git'), testedRepository);
  let over = false;
  const outside = committer(path, join(system.home, 'outside'), () => over);
  const ids = [];
  for (let i = 0; i < count; i += 1) ids.push((await call('POST', '/missions', missionOn(path, [addsFile(`parts/${i}`, 'yes')], mustPass))).mission_id);
  const missions = await whenAllEnded(system, ids);
  over = true;
  const { mine, lost } = await outside;

  const landed = landedOnes(missions);
  const others = missions.filter(({ landed_commit }) => landed_commit === null);
  const told = others.filter(({ ended_at, ended_reason }) => ended_at !== null && /BASE_MOVED: .*tested on [0-9a-f]{12}, then it was at/.test(ended_reason ?? ''));
  check(`${count} missions beside a committer (${mine.length} pushes, ${lost} of his refused): each landed, or ended in BASE_MOVED with its story`,
    told.length === others.length, `${landed.length} landed, ${told.length} BASE_MOVED, ${others.length - told.length} otherwise${others.length === told.length ? '' : `: ${others.find((one) => !told.includes(one)).ended_reason}`}`);
  const bad = await untested(system, path, landed);
  check('every landed tree was tested', bad.length === 0, `${landed.length - bad.length} of ${landed.length}`);
  const onMain = firstParents(path).slice(1).map(({ commit }) => commit);
  const known = new Set([...mine, ...landed.map(({ landed_commit }) => landed_commit)]);
  const strangers = onMain.filter((commit) => !known.has(commit));
  check('the branch has his commits and the landed ones, and nothing else', strangers.length === 0 && known.size === onMain.length, `${onMain.length} commits, ${strangers.length} of nobody`);
}
