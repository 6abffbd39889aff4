/**
 * The merge gate: green branches land one after the other on one moving base, as the worker lands them (`buildLanding`, then
 * `land`: push by compare-and-swap and reading back), against the bare loop of merge-tree, commit-tree and update-ref, the
 * same loop with a push, and `reset --hard` and `merge` in a warm worktree. Each way gets copies of its own of one
 * repository of 5,000 files and runs git the same way; rounds go back and forth. What landed is compared with what was
 * built, commit by commit, and all ways must come to the same tree.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { landingActivities } from '../dist/activities/landing.js';
import { readConfig } from '../dist/config.js';
import { systemActor } from '../dist/domain/actor.js';
import { createGit } from '../dist/git/git.js';
import { createMirrors } from '../dist/git/mirror.js';
import { patchIdOf } from '../dist/git/patch-id.js';
import { createArtifacts } from '../dist/store/artifacts.js';
import { registerRepository } from '../dist/store/repositories.js';
import { bareRepository, firstParents, git as plainGit, importCommits } from './repositories.mjs';
import { quantile, silent, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const [rounds, branches, files] = quick ? [2, 40, 5_000] : [4, 200, 5_000];

const servers = await startServers();
const { database, home } = servers;
const config = readConfig({ MISSION_CONTROL_HOME: home, DATABASE_URL: servers.url });
const base = createGit(join(home, 'git-home'), config.git);
let commands = [];
const git = {
  ...base,
  run: (args, options) => { commands.push(args[0]); return base.run(args, options); },
  text: (args, options) => { commands.push(args[0]); return base.text(args, options); },
};
const mirrors = createMirrors(git, join(home, 'mirrors'), config.repoRoots);
const { buildLanding, land } = landingActivities({ config, database, git, mirrors, logger: silent, artifacts: createArtifacts(join(home, 'artifacts'), database.query) });
const asActivity = (work) => new MockActivityEnvironment().run(work);

const fileOf = (i) => `src/${i % 50}/file-${i}.js`;
const seed = bareRepository(join(home, 'seed.git'), Object.fromEntries(Array.from({ length: files }, (_, i) => [fileOf(i), `export const n = ${i};\n`.repeat(20)])));
importCommits(seed, Array.from({ length: branches }, (_, i) => ({ ref: `refs/heads/branch-${i}`, from: 'refs/heads/main^0', files: { [fileOf(i)]: `export const n = ${i + 1};\n`.repeat(21) } })));
plainGit(seed, 'repack', '-adq');
const start = plainGit(seed, 'rev-parse', 'main');
const heads = plainGit(seed, 'for-each-ref', '--sort=version:refname', '--format=%(objectname) %(tree)', 'refs/heads/branch-*').split('\n')
  .map((line) => { const [head, tree] = line.split(' '); return { head, tree }; });
for (const branch of heads) branch.patch_id = await patchIdOf(base, seed, start, branch.head);

let copies = 0;
async function copyOfSeed() {
  const path = join(home, 'repositories', `copy-${copies += 1}.git`);
  await cp(seed, path, { recursive: true });
  return path;
}
const time = async (into, work) => {
  const started = performance.now();
  const result = await work();
  into.push(performance.now() - started);
  return result;
};
const message = (i) => `Land branch ${i}\n`;

/** The loop without any of our checks; `pushed` sends each commit to an origin, as ours does. */
async function bareLoop(way, pushed) {
  const origin = await copyOfSeed();
  const gitDir = pushed ? await copyOfSeed() : origin;
  let tip = start;
  for (const [i, { head }] of heads.entries()) {
    tip = await time(way.ms, async () => {
      const tree = await base.text(['merge-tree', '--write-tree', tip, head], { gitDir });
      const commit = await base.text(['commit-tree', tree, '-p', tip, '-p', head, '-m', message(i)], { gitDir });
      if (pushed) await base.run(['push', '--quiet', `--force-with-lease=refs/heads/main:${tip}`, origin, `${commit}:refs/heads/main`], { gitDir });
      else await base.run(['update-ref', 'refs/heads/main', commit, tip], { gitDir });
      return commit;
    });
  }
  return origin;
}

async function warmWorktree(way) {
  const gitDir = await copyOfSeed();
  const path = join(home, `worktree-${copies}`);
  await base.run(['worktree', 'add', '--quiet', '--detach', path, start], { gitDir });
  let tip = start;
  for (const [i, { head }] of heads.entries()) {
    tip = await time(way.ms, async () => {
      await base.run(['-C', path, 'reset', '--quiet', '--hard', tip]);
      await base.run(['-C', path, 'merge', '--quiet', '--no-ff', '-m', message(i), head]);
      return base.text(['-C', path, 'rev-parse', 'HEAD']);
    });
  }
  plainGit(gitDir, 'update-ref', 'refs/heads/main', tip);
  await rm(path, { recursive: true, force: true });
  return gitDir;
}

const gate = [];
const processes = [];
let landedAsBuilt = 0;

async function ours(way) {
  const origin = await copyOfSeed();
  const { repository_id, kind } = await registerRepository(database, {
    name: `copy-${copies}`, origin, kind: 'path', default_branch: 'main', settings: { commands: {}, stress_thresholds: [], protected_paths: [] },
  }, systemActor('worker'));
  await mirrors.fetchTip({ repository_id, origin, kind }, 'main');
  plainGit(mirrors.pathOf(repository_id), 'fetch', '-q', origin, '+refs/heads/branch-*:refs/mission-control/branch-*');
  const built = [];
  for (const [i, { head, tree: approved_tree, patch_id }] of heads.entries()) {
    const request = {
      kind: 'land', mission_id: `mission_20200101_${i}`, severity: 'low', repository_id, target_branch: 'main', host_queue: 'none', head, base: start,
      tested_trees: [], approved_tree, patch_id, carry_approval: true, must_pass_tests: [], setup_command: null,
      test_command: { argv: ['true'], timeout_seconds: 1, network: false }, commit_time: '2026-01-02T03:04:05Z', message: message(i), request_id: `${copies}:${i}`,
    };
    commands = [];
    await time(way.ms, async () => {
      const one = await time(gate, () => asActivity(() => buildLanding(request)));
      const { commit, tree, tip, parents } = one;
      const landed = await asActivity(() => land({ request, commit, tree, tip: tip.commit, parents, same_patch: one.patch_id === patch_id }));
      built.push({ commit, tree, landed: landed.kind, same: one.patch_id === patch_id });
    });
    // The first of a queue asks the origin where it is; the others know it from the landing before them.
    if (i > 0) processes.push(commands.filter((command) => command !== 'push').length);
  }
  const onMain = firstParents(origin).slice(1);
  landedAsBuilt += built.filter(({ commit, tree, landed, same }, i) => landed === 'landed' && same && onMain[i]?.commit === commit && onMain[i]?.tree === tree).length;
  return origin;
}

const ways = {
  'bare loop: merge-tree, commit-tree, update-ref': { run: (way) => bareLoop(way, false), ms: [] },
  'bare loop: merge-tree, commit-tree, push': { run: (way) => bareLoop(way, true), ms: [] },
  'warm worktree: reset, merge': { run: warmWorktree, ms: [] },
  'ours: built, pushed, read back, recorded': { run: ours, ms: [] },
};
const trees = new Set();
for (let round = 0; round < rounds; round += 1) {
  const order = Object.values(ways);
  for (const way of round % 2 === 0 ? order : order.reverse()) {
    const path = await way.run(way);
    trees.add(plainGit(path, 'rev-parse', 'main^{tree}'));
    await rm(path, { recursive: true, force: true });
  }
}
await servers.stop();

const bare = quantile(Object.values(ways)[0].ms, 0.5);
const worktree = quantile(Object.values(ways)[2].ms, 0.5);
console.log(`\n${branches} branches onto one moving base of ${files} files, ${rounds} rounds\n`);
console.log('| for each landing | p50 | p95 | of the bare loop | the warm worktree takes |\n|---|---|---|---|---|');
for (const [name, ms] of [...Object.entries(ways).map(([way, { ms }]) => [way, ms]), ['ours, the gate alone: built, nothing pushed', gate]]) {
  const p50 = quantile(ms, 0.5);
  console.log(`| ${name} | ${p50.toFixed(1)} ms | ${quantile(ms, 0.95).toFixed(1)} ms | ${(p50 / bare).toFixed(2)}× | ${(worktree / p50).toFixed(1)}× |`);
}
console.log(`\ngit processes for each of our landings besides the push: ${quantile(processes, 0.5)}, at most ${Math.max(...processes)}\n`);
const checks = [landedAsBuilt === rounds * branches, trees.size === 1];
if (!checks[0]) console.log(`only ${landedAsBuilt} of ${rounds * branches} landed as built`);
const failed = checks.filter((passed) => !passed).length;
console.log(`every landing is what was built, and all ways come to one tree: ${checks.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
