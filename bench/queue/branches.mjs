/** Part 3: green branches through the real queue, one after the other, and the git processes that each costs the worker. */
import { join } from 'node:path';
import { readConfig } from '../../dist/config.js';
import { mergeQueueStart } from '../../dist/engine/merge-queue.js';
import { createGit } from '../../dist/git/git.js';
import { patchIdOf } from '../../dist/git/patch-id.js';
import { addsFile, missionOn } from '../launched.mjs';
import { bareRepository, firstParents, git, importCommits } from '../repositories.mjs';
import { tally } from './git-log.mjs';
import { landingAskedBy, queueHistories } from './history.mjs';
import { mustPass, testedRepository, whenAllEnded } from './judge.mjs';

export async function greenBranches({ system, client, watched, check }, count) {
  const { call, home } = system;
  const path = bareRepository(join(home, 'repositories', 'branches.git'), testedRepository);
  // One mission goes all the way: its request is what the others are made of.
  const { mission_id } = await call('POST', '/missions', missionOn(path, [addsFile('parts/whole', 'yes')], mustPass));
  const [first] = await whenAllEnded(system, [mission_id]);
  if (first.landed_commit === null) throw new Error(`the first mission did not land: ${first.ended_reason}`);
  const asked = await landingAskedBy(client, mission_id);

  const mirror = join(home, 'mirrors', `${asked.repository_id}.git`);
  importCommits(mirror, Array.from({ length: count }, (_, i) => ({ ref: `refs/mission-control/bench/${i}`, from: asked.base, files: { [`parts/branch-${i}`]: 'yes\n' } })));
  const heads = git(mirror, 'for-each-ref', '--sort=version:refname', '--format=%(objectname) %(tree)', 'refs/mission-control/bench/').split('\n');
  const plain = createGit(join(home, 'bench-git-home'), readConfig({ MISSION_CONTROL_HOME: home }).git);
  const requests = await Promise.all(heads.map(async (line, i) => {
    const [head, approved_tree] = line.split(' ');
    return {
      ...asked, head, approved_tree, tested_trees: [approved_tree], patch_id: await patchIdOf(plain, mirror, asked.base, head),
      message: `Land branch ${i}\n`, request_id: `${asked.request_id}:branch-${i}`,
    };
  }));

  watched.empty();
  const started = performance.now();
  for (const request of requests) {
    await client.workflow.signalWithStart('mergeQueue', { ...mergeQueueStart(asked.repository_id, 'main'), signal: 'enqueueLanding', signalArgs: [request] });
  }
  const landedHeads = () => new Set(firstParents(path).map(({ parents }) => parents[1]));
  // The queue ends when it has answered everybody, whatever it answered.
  await client.workflow.getHandle(mergeQueueStart(asked.repository_id, 'main').workflowId).result();
  const ms = performance.now() - started;
  const commands = watched.started();

  const landed = landedHeads();
  const missing = requests.filter(({ head }) => !landed.has(head));
  check(`${count} green branches all land`, missing.length === 0, `${count - missing.length} in ${(ms / 1_000).toFixed(1)} s, ${(ms / count).toFixed(0)} ms each with their tests`);
  const tested = testedTrees(await queueHistories(client, asked.repository_id));
  const onMain = firstParents(path).slice(2);
  const untested = onMain.filter(({ tree }) => !tested.has(tree));
  check('every landed tree was tested before it landed', untested.length === 0, `${onMain.length - untested.length} of ${onMain.length}`);

  const kinds = { push: [], landing: [], checkout: [], 'ledger checkpoints': [] };
  for (const { place, word } of commands) kinds[kindOf(place, word)].push(word);
  const each = (n) => (n / count).toFixed(2);
  // The first of a queue reads the tip, and so does one that comes late; the others know it from the landing before them.
  const rest = kinds.landing.filter((word) => !readsTheTip.has(word)).length;
  check('at most 4 git processes a landing besides the push and the checkout of its tests', rest <= 4 * count, `${each(rest)} a landing, and ${each(kinds.landing.length - rest)} to read the tip where it was not known`);
  check('one test run a landing', kinds.checkout.filter((word) => word === 'reset').length <= count + 1, `${each(kinds.checkout.filter((word) => word === 'reset').length)} checkouts a landing`);
  console.log(`\ngit processes of ${count} landings: ${Object.entries(kinds).map(([kind, words]) => `${each(words.length)} ${kind}`).join(', ')}`);
  console.log('| what for | command | a landing |\n|---|---|---|');
  for (const [kind, words] of Object.entries(kinds)) for (const [word, n] of tally(words)) console.log(`| ${kind} | ${word} | ${each(n)} |`);
}

/** What fetching the branch takes, with the checks of what was fetched. */
const readsTheTip = new Set(['fetch', 'rev-parse', 'cat-file', 'ls-tree', 'for-each-ref']);

/** What a git command of the worker was started for. The checkpoints of the ledger are published to a repository, too. */
function kindOf(place, word) {
  if (word === 'push') return 'push';
  if (place === 'checkout' || word === 'worktree') return 'checkout';
  return place === 'elsewhere' || word === 'init' ? 'ledger checkpoints' : 'landing';
}

/** Trees that `testLanding` passed and that were landed afterwards, by the queue's own history. */
function testedTrees(histories) {
  const passed = new Set();
  for (const { events } of histories) {
    const asked = new Map();
    for (const event of events) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      const completed = event.activityTaskCompletedEventAttributes;
      const read = (payloads) => JSON.parse(Buffer.from(payloads.payloads[0].data).toString('utf8'));
      if (scheduled?.activityType?.name === 'testLanding') asked.set(Number(event.eventId), read(scheduled.input).commit.tree);
      const tree = completed && asked.get(Number(completed.scheduledEventId));
      if (tree !== undefined && tree !== null && read(completed.result).passed) passed.add(tree);
    }
  }
  return passed;
}
