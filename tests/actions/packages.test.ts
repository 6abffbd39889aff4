import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/ledger/canonical.ts';
import { once } from '../../src/store/effects.ts';
import { openNpmBench, type NpmBench } from '../support/packages.ts';

let bench: NpmBench;
beforeAll(async () => { bench = await openNpmBench({ resource: { rebuild_allowed: [] } }); });
afterAll(() => bench.close());

let count = 0;
let folder: string;
let key: string;
beforeEach(async () => {
  count += 1;
  folder = `.mission-control-${String(count).padStart(12, '0')}`;
  key = `bench:${count}`;
  await bench.configure({ app: { kind: 'packages', manager: 'npm', path: bench.project, check_argv: ['node', 'main.js'] } });
});

const at = (...parts: string[]): string => join(bench.project, folder, ...parts);
const identity = (path: string): string => {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
};
const begun = (name = key) => once(bench.db.database.query, `${name}:before`, async () => ({ before: {} }));
const forget = (name = key) => bench.db.database.query('DELETE FROM effects WHERE key = $1', [`${name}:result`]);
const truth = () => ({ commit: bench.repository.tip(), manifest_sha256: sha256(bench.text(bench.manifest)), lock_sha256: sha256(bench.text(bench.lock)) });
const install = (more: Record<string, string | string[]> = {}) =>
  bench.act('app', 'packages.install', { ...truth(), folder, rebuild: [], timeout_seconds: 120, ...more }, key);

/** A fresh folder as `packages.install` leaves it, without what is in it. */
function layFresh(): { live: string; fresh: string } {
  mkdirSync(at('fresh', 'node_modules'), { recursive: true });
  const found = { live: identity(bench.module()), fresh: identity(at('fresh', 'node_modules')) };
  writeFileSync(at('ready.json'), JSON.stringify({ key: 'install', identity: found.fresh, log_sha256: '' }));
  return found;
}
const swap = (live: string | null, action = 'packages.swap', name = key) => bench.act('app', action, { folder, live }, name);

test('a failing import is read from what the entry point says, and a check that hangs is cut off', async () => {
  expect(await bench.probe('app', 'packages.check')).toMatchObject({ ok: true, failure: null });
  await bench.declare({ check_argv: ['node', '-e', `require('gone-away')`] });
  expect(await bench.probe('app', 'packages.check')).toMatchObject({ ok: false, exit_code: 1, failure: { kind: 'package', name: 'gone-away' } });
  await bench.declare({ check_argv: ['node', '-e', 'setInterval(() => {}, 1000)'] });
  expect(await bench.probe('app', 'packages.check', { timeout_seconds: 0.5 })).toMatchObject({ ok: false, timed_out: true });
});

test('a missing package of a package is a problem, whatever exit code npm ls has', async () => {
  const before = await bench.probe('app', 'packages.state', { revision: 'HEAD' });
  expect(before).toMatchObject({ problems: [], manifest_drifted: false, unusable: null, scripted: [{ name: 'addon', location: null }, { name: 'noise', location: null }], hosts: [bench.registry.url.slice('http://'.length)] });
  renameSync(bench.module('@far'), join(bench.project, 'aside'));
  const after = await bench.probe('app', 'packages.state', { revision: 'HEAD', name: '@far/deep', location: 'node_modules/left' }) as { problems: string[] };
  renameSync(join(bench.project, 'aside'), bench.module('@far'));
  expect(after).toMatchObject({ package: { declared: false, locked: '2.0.1', installed: null, folder: 'node_modules/@far/deep' } });
  expect(after.problems).toEqual([expect.stringContaining('missing: @far/deep@^2.0.0')]);
});

test('a fresh process says which packages are found, in which version, and which load', async () => {
  const ask = { packages: [{ name: '@far/deep', location: 'node_modules/left' }, { name: 'gone', location: null }, { name: 'addon', location: null }, { name: 'parts', location: null }], load: true };
  writeFileSync(bench.module('addon', 'index.js'), 'process.exit(0);\n');
  const found = await bench.probe('app', 'packages.resolve', ask);
  writeFileSync(bench.module('addon', 'index.js'), `module.exports = require('./addon.node');\n`);
  expect(found).toEqual([
    { name: '@far/deep', version: '2.0.1', resolves: true, loads: true }, { name: 'gone', version: null, resolves: false, loads: false },
    { name: 'addon', version: null, resolves: false, loads: false }, { name: 'parts', version: '1.0.0', resolves: true, loads: false },
  ]);
});

test('an install touches nothing in use, and runs no script', async () => {
  const was = identity(bench.module());
  const result = await install();
  expect(identity(bench.module())).toBe(was);
  expect(readdirSync(at('fresh', 'node_modules')).filter((name) => !name.startsWith('.')).sort()).toEqual(['@far', 'addon', 'left', 'noise', 'parts', 'shape']);
  expect(readdirSync(at('fresh', 'node_modules', 'addon'))).not.toContain('addon.node');
  const asked = bench.registry.asked.length;
  await forget();
  expect(await install()).toEqual(result);
  expect(bench.registry.asked.length).toBe(asked);
});

test('a worker killed in the middle of an install: the second try begins anew', async () => {
  mkdirSync(at('fresh', 'half'), { recursive: true });
  await begun();
  await install();
  expect(readdirSync(at('fresh'))).not.toContain('half');
  expect(JSON.parse(readFileSync(at('ready.json'), 'utf8'))).toMatchObject({ key, identity: identity(at('fresh', 'node_modules')) });
});

test.each([
  ['another lock file than planned with', { lock_sha256: 'a'.repeat(64) }, 'PLAN_DRIFT'],
  ['a commit that is not there', { commit: 'f'.repeat(40) }, 'PLAN_DRIFT'],
  ['a rebuild nobody allowed', { rebuild: ['addon'] }, 'REBUILD_NOT_ALLOWED'],
  ['an option in the place of a package', { rebuild: ['--ignore-scripts=false'] }, 'STEP_INVALID'],
  ['an option in the place of a commit', { commit: '--output=/tmp/x' }, 'STEP_INVALID'],
  ['a folder that is not ours', { folder: '../elsewhere' }, 'STEP_INVALID'],
  ['a site folder outside of the project', { site_dir: 'a/../../b' }, 'STEP_INVALID'],
])('refused before anything is written: %s', async (_, more, type) => {
  const asked = bench.registry.asked.length;
  await expect(install(more)).rejects.toMatchObject({ type });
  expect(readdirSync(bench.project)).not.toContain(folder);
  expect(bench.registry.asked.length).toBe(asked);
});

test('what is in use is exchanged and taken back, each once however often it is asked for', async () => {
  const { live, fresh } = layFresh();
  expect(await swap(live)).toEqual({ live: fresh });
  await forget();
  expect(await swap(live)).toEqual({ live: fresh });
  expect(identity(at('old', 'node_modules'))).toBe(live);
  expect(await swap(live, 'packages.swap_back', `${key}-undo`)).toEqual({ live });
  await forget(`${key}-undo`);
  expect(await swap(live, 'packages.swap_back', `${key}-undo`)).toEqual({ live });
  expect(identity(at('fresh', 'node_modules'))).toBe(fresh);
});

test('a worker killed between the two renames: the second try finishes', async () => {
  const { live, fresh } = layFresh();
  await begun();
  mkdirSync(at('old'));
  renameSync(bench.module(), at('old', 'node_modules'));
  expect(await swap(live)).toEqual({ live: fresh });
  expect(identity(bench.module())).toBe(fresh);
  expect(identity(at('old', 'node_modules'))).toBe(live);
  // The same when it is taken back: the fresh one is away, the old one not yet there.
  await begun(`${key}-undo`);
  renameSync(bench.module(), at('fresh', 'node_modules'));
  expect(await swap(live, 'packages.swap_back', `${key}-undo`)).toEqual({ live });
  expect(identity(bench.module())).toBe(live);
});

test('a worker killed between the two renames, and no second try: undoing puts the old one back', async () => {
  const { live } = layFresh();
  mkdirSync(at('old'));
  renameSync(bench.module(), at('old', 'node_modules'));
  expect(await swap(live, 'packages.swap_back')).toEqual({ live });
  expect(identity(bench.module())).toBe(live);
});

test('where there was nothing, undoing leaves nothing', async () => {
  const { fresh } = layFresh();
  renameSync(bench.module(), join(bench.project, 'aside'));
  expect(await swap(null)).toEqual({ live: fresh });
  expect(await swap(null, 'packages.swap_back', `${key}-undo`)).toEqual({ live: null });
  renameSync(join(bench.project, 'aside'), bench.module());
});

test('a folder that somebody else put there is neither replaced nor taken back', async () => {
  const { live } = layFresh();
  renameSync(bench.module(), join(bench.project, 'aside'));
  mkdirSync(bench.module());
  const theirs = identity(bench.module());
  await expect(swap(live)).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(swap(live, 'packages.swap_back', `${key}-undo`)).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  expect(identity(bench.module())).toBe(theirs);
  rmSync(bench.module(), { recursive: true });
  symlinkSync(join(bench.project, 'aside'), bench.module());
  await expect(swap(live, 'packages.swap', `${key}-link`)).rejects.toMatchObject({ type: 'NOT_A_FOLDER' });
  rmSync(bench.module());
  renameSync(join(bench.project, 'aside'), bench.module());
});

test('a fresh folder that is not the one that was installed is not put into use', async () => {
  const { live } = layFresh();
  renameSync(at('fresh', 'node_modules'), at('fresh', 'other'));
  mkdirSync(at('fresh', 'node_modules'));
  await expect(swap(live)).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  expect(identity(bench.module())).toBe(live);
});

test('a lock file is restored and returned, each once; one that somebody changed meanwhile is left alone', async () => {
  const path = join(bench.project, 'package-lock.json');
  const [committed, drifted] = [readFileSync(path, 'utf8'), '{"drifted": true}\n'];
  const input = { ...truth(), folder, drifted_sha256: sha256(drifted) };
  writeFileSync(path, drifted);
  for (const _ of [1, 2]) {
    await bench.act('app', 'packages.restore_lock', input, key);
    await forget();
    expect(readFileSync(path, 'utf8')).toBe(committed);
  }
  for (const _ of [1, 2]) {
    await bench.act('app', 'packages.return_lock', input, `${key}-undo`);
    await forget(`${key}-undo`);
    expect(readFileSync(path, 'utf8')).toBe(drifted);
  }
  writeFileSync(path, '{"theirs": true}\n');
  await expect(bench.act('app', 'packages.restore_lock', input, `${key}-2`)).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(bench.act('app', 'packages.return_lock', input, `${key}-3`)).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  expect(readFileSync(path, 'utf8')).toBe('{"theirs": true}\n');
  writeFileSync(path, committed);
});
