/**
 * Worktrees of a repository with 5,000 files: a clean one out of the pool, warm, against `git worktree add`; and one whose
 * dependencies are put back from what an earlier setup made against one that runs `npm ci` (5,000 files in 40 packages,
 * from tarballs of the repository itself, so without any network). Rounds alternate.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createProcessRunner } from '../dist/activities/process/runner.js';
import { prepareWorktree } from '../dist/activities/worktree.js';
import { readConfig } from '../dist/config.js';
import { systemActor } from '../dist/domain/actor.js';
import { createGit } from '../dist/git/git.js';
import { createMirrors } from '../dist/git/mirror.js';
import { createWorktrees } from '../dist/git/worktrees.js';
import { createArtifacts } from '../dist/store/artifacts.js';
import { registerRepository } from '../dist/store/repositories.js';
import { quantile, silent, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const [worktreeRounds, setupRounds] = quick ? [11, 5] : [41, 15];
const [files, packages] = [5_000, 40];

const servers = await startServers();
const { home, database } = servers;
const origin = join(home, 'repositories', 'bench');
const run = (program, ...args) => execFileSync(program, args, { cwd: origin, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

async function writeFiles(folder, count) {
  for (let n = 0; n < count; n += 1) {
    const path = join(folder, `part-${Math.floor(n / 50)}`);
    if (n % 50 === 0) await mkdir(path, { recursive: true });
    await writeFile(join(path, `file-${n}.js`), `export const value = ${n};\n`.repeat(40));
  }
}

await writeFiles(origin, files - packages - 3);
await mkdir(join(origin, 'tarballs'));
for (let n = 0; n < packages; n += 1) {
  const folder = join(home, 'packages', String(n), 'package');
  await writeFiles(folder, files / packages - 1);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: `bench-${n}`, version: '1.0.0' }));
  run('tar', '-czf', join(origin, 'tarballs', `${n}.tgz`), '-C', join(folder, '..'), 'package');
}
const dependencies = Object.fromEntries(Array.from({ length: packages }, (_, n) => [`bench-${n}`, `file:tarballs/${n}.tgz`]));
await writeFile(join(origin, 'package.json'), JSON.stringify({ name: 'bench', version: '1.0.0', dependencies }));
await writeFile(join(origin, '.gitignore'), 'node_modules/\n');
run('npm', 'install', '--package-lock-only', '--no-audit', '--no-fund', '--silent', '--cache', join(home, 'npm'));
run('git', 'init', '-q', '-b', 'main');
run('git', 'add', '.');
run('git', '-c', 'user.name=b', '-c', 'user.email=b@localhost', 'commit', '-qm', 'x');

const config = readConfig({ MISSION_CONTROL_HOME: home, DATABASE_URL: servers.url });
const git = createGit(join(home, 'scratch', 'git-home'), config.git);
const mirrors = createMirrors(git, join(home, 'mirrors'), config.repoRoots);
const processes = createProcessRunner(join(home, 'scratch'));
const worktrees = createWorktrees(git, mirrors, database, join(home, 'worktrees'), 'bench', { bound: async () => 8, sweep: processes.sweep });
const deps = {
  config, logger: silent, database, git, mirrors, worktrees, processes, artifacts: createArtifacts(config.artifacts, database.query),
  temporal: { workflow: { getHandle: () => ({ signal: async () => undefined }) } }, hostId: 'bench', hostQueue: 'workspace:bench',
};
const repository = await registerRepository(database, {
  name: 'bench', origin, kind: 'path', default_branch: 'main', settings: { commands: {}, stress_thresholds: [], protected_paths: [] },
}, systemActor('bench'));
const base = await mirrors.fetchTip(repository, 'main');
const gitDir = mirrors.pathOf(repository.repository_id);

async function timed(times, work) {
  const started = performance.now();
  const result = await work();
  times.push(performance.now() - started);
  return result;
}

/** What a mission leaves behind: changed, new and deleted files. */
async function use(path) {
  for (let n = 0; n < 100; n += 1) await writeFile(join(path, `part-${n % 90}`, `file-${(n % 90) * 50}.js`), 'changed\n');
  await writeFiles(join(path, 'made'), 200);
  await rm(join(path, 'part-7'), { recursive: true });
}

const times = { add: [], pool: [], setup: [], hit: [] };
const added = join(home, 'added');
await use(await worktrees.checkout(repository.repository_id, 'bench', base.commit));
for (let round = 0; round < worktreeRounds; round += 1) {
  await timed(times.add, () => git.run(['worktree', 'add', '--quiet', '--detach', '--', added, base.commit], { gitDir }));
  await git.run(['worktree', 'remove', '--force', '--', added], { gitDir });
  const path = await timed(times.pool, () => worktrees.checkout(repository.repository_id, 'bench', base.commit));
  if (await git.text(['-C', path, 'status', '--porcelain', '--ignored']) !== '') throw new Error('the worktree is not clean');
  await use(path);
}

const setup = { argv: ['npm', 'ci', '--no-audit', '--no-fund'], timeout_seconds: 600, network: false };
const prepare = () => prepareWorktree(deps, repository.repository_id, 'bench', base, setup, AbortSignal.timeout(600_000));
let size = 0;
for (let round = 0; round < setupRounds; round += 1) {
  for (const [kind, expected] of [['setup', 'miss'], ['hit', 'hit']]) {
    if (kind === 'setup') await database.query('DELETE FROM dependency_caches');
    const before = performance.now();
    const ready = await prepare();
    const took = performance.now() - before;
    if (ready.dependencies.cache !== expected || !ready.dependencies.kept) throw new Error(`expected a ${expected}: ${JSON.stringify(ready.dependencies)}`);
    // What is kept is written after the setup: the first one pays for it, so it counts.
    times[kind].push(took);
    size = ready.dependencies.size_bytes;
    await ready.release();
  }
}
await servers.stop();

const row = (label, values) => `| ${label} | ${quantile(values, 0.5).toFixed(0)} ms | ${quantile(values, 0.95).toFixed(0)} ms |`;
const ratio = (slow, fast) => (quantile(slow, 0.5) / quantile(fast, 0.5)).toFixed(1);
console.log(`\n| worktree of ${files} files (${worktreeRounds} times each) | median | p95 |\n|---|---|---|`);
console.log(row('`git worktree add`', times.add));
console.log(row('out of the pool, warm, 300 files changed before', times.pool));
console.log(`ratio ${ratio(times.add, times.pool)} (target 10)`);
console.log(`\n| the same with dependencies (${files} files, ${(size / 1024 ** 2).toFixed(0)} MiB, ${setupRounds} times each) | median | p95 |\n|---|---|---|`);
console.log(row('`npm ci`, and kept', times.setup));
console.log(row('put back', times.hit));
console.log(`ratio ${ratio(times.setup, times.hit)}`);
process.exit(0);
