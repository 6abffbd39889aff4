import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { importError } from '../../src/workflows/playbooks/import-error.ts';
import { openNpmBench, openPipBench, type NpmBench, type PipBench } from '../support/packages.ts';
import type { Planned } from '../support/playbook-bench.ts';

let bench: NpmBench | PipBench;
afterEach(() => bench.close());

const worldOf = (params: unknown = {}) => bench.context(importError, 'app', 'import_error', params);
const planned = async (params: unknown = {}) => bench.plan(importError, await worldOf(params));
const folderOf = ({ facts }: Planned): string => (facts as { state: { folder: string } }).state.folder;

async function heal(params: unknown = {}): Promise<Planned & { ran: string[] }> {
  const context = await worldOf(params);
  const plan = await bench.plan(importError, context) as Planned;
  expect(plan.steps, JSON.stringify(plan)).toBeDefined();
  const ran = await bench.execute(importError, context, plan);
  const checks = await bench.verify(importError, context, plan.facts);
  expect(Object.values(checks).every((check) => check.ok), JSON.stringify(checks)).toBe(true);
  expect((await planned(params))).toMatchObject({ decline: 'healthy' });
  return { ...plan, ran };
}

/** As the system takes a run back: what compensates its steps, in reverse order. */
async function undo({ steps }: Pick<Planned, 'steps'>): Promise<void> {
  for (const { compensate } of [...steps].reverse()) {
    if (compensate !== null) await bench.act('app', compensate.action, compensate.with);
  }
}

const oursIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('.mission-control'));

/** No request reached the registry, and nothing was made beside the packages. */
function expectNothingDone(npm: NpmBench): void {
  expect(npm.registry.asked).toEqual([]);
  expect(oursIn(npm.project)).toEqual([]);
  expect(npm.repository.git('status', '--porcelain', '--untracked-files=all', '--ignore-submodules')).toBe('');
}

test('a declared and locked package that was deleted comes back, the old folder is kept', async () => {
  const npm = bench = await openNpmBench();
  npm.remove('left');
  const was = statSync(npm.module()).ino;
  const plan = await heal();
  expect(plan.ran).toEqual(['install', 'swap']);
  expect(plan.facts).toMatchObject({ why: 'absent', package: { name: 'left', version: '1.2.3' } });
  expect(statSync(npm.module()).ino).not.toBe(was);
  expect(statSync(join(npm.project, folderOf(plan), 'old', 'node_modules')).ino).toBe(was);
  // What is ours does not show among the project's changes, and its settings, which may hold a token, do not stay.
  expect(npm.repository.git('status', '--porcelain', '--untracked-files=all')).toBe('');
  expect(existsSync(join(npm.project, folderOf(plan), 'fresh', '.npmrc'))).toBe(false);
});

test('a package of a package is missing, and all of node_modules', async () => {
  const npm = bench = await openNpmBench();
  npm.remove('@far/deep');
  expect((await heal()).facts).toMatchObject({ why: 'absent', package: { name: '@far/deep', version: '2.0.1' } });
  rmSync(npm.module(), { recursive: true });
  expect((await heal()).facts).toMatchObject({ why: 'absent', state: { live: null } });
});

test('a package that lost a file, and one in another version than locked', async () => {
  const npm = bench = await openNpmBench();
  rmSync(npm.module('left', 'index.js'));
  expect((await heal()).facts).toMatchObject({ why: 'damaged', package: { name: 'left' } });
  writeFileSync(npm.module('shape', 'package.json'), JSON.stringify({ name: 'shape', version: '0.9.0', exports: {} }));
  expect((await heal()).facts).toMatchObject({ why: 'other_version', package: { name: 'shape', version: '1.0.0' } });
});

test('an undeclared package is never installed: named, and nothing is asked of any registry', async () => {
  const npm = bench = await openNpmBench({ main: `require('lefft-pad');\n` });
  const answer = await planned();
  expect(answer).toMatchObject({ decline: 'mission', code: 'UNDECLARED_PACKAGE' });
  expect((answer as { reason: string }).reason).toMatch(/lefft-pad.*slopsquatting/s);
  // Nor when somebody put it into the files as they lie there.
  const manifest = { ...npm.manifest, dependencies: { ...npm.manifest.dependencies, 'lefft-pad': '*' } };
  writeFileSync(join(npm.project, 'package.json'), npm.text(manifest));
  writeFileSync(join(npm.project, 'package-lock.json'), npm.text({ ...npm.lock, packages: { ...npm.lock.packages, '': manifest, 'node_modules/lefft-pad': npm.lock.packages['node_modules/left' as ''] } }));
  expect(await planned()).toMatchObject({ decline: 'mission', code: 'UNDECLARED_PACKAGE' });
  npm.repository.git('checkout', '.');
  expectNothingDone(npm);
});

test('a lock file that drifted is restored from the commit before the clean install; undone, both are as they were', async () => {
  const npm = bench = await openNpmBench();
  const { 'node_modules/@far/deep': _, ...others } = npm.lock.packages as Record<string, unknown>;
  const drifted = npm.text({ ...npm.lock, packages: others });
  writeFileSync(join(npm.project, 'package-lock.json'), drifted);
  npm.remove('@far/deep');
  const was = statSync(npm.module()).ino;
  const { steps, ran, facts } = await heal();
  expect(facts).toMatchObject({ why: 'lock_drift' });
  expect(ran).toEqual(['install', 'restore-lock', 'swap']);
  expect(npm.read('package-lock.json')).toBe(npm.text(npm.lock));
  await undo({ steps });
  expect(npm.read('package-lock.json')).toBe(drifted);
  expect(statSync(npm.module()).ino).toBe(was);
});

test('a manifest that somebody is changing is left to them', async () => {
  const npm = bench = await openNpmBench();
  npm.remove('left');
  writeFileSync(join(npm.project, 'package.json'), npm.text({ ...npm.manifest, dependencies: { ...npm.manifest.dependencies, left: '*' } }));
  expect(await planned()).toMatchObject({ decline: 'refused', code: 'MANIFEST_DRIFT' });
  npm.repository.git('checkout', '.');
  expectNothingDone(npm);
});

test.each([
  ['the export map of a package', `require('shape/inner');\n`, 'EXPORT_MISSING'],
  ['a relative path', `require('./gone');\n`, 'IMPORT_IN_CODE'],
])('%s is a matter of code', async (_, main, code) => {
  const npm = bench = await openNpmBench({ main });
  expect(await planned()).toMatchObject({ decline: 'mission', code });
  expectNothingDone(npm);
});

test('a compiled part that does not load is rebuilt only where that is allowed', async () => {
  const npm = bench = await openNpmBench({ main: `require('addon');\n`, resource: { rebuild_allowed: [] } });
  writeFileSync(npm.module('addon', 'addon.node'), 'not a shared object');
  expect(await planned()).toMatchObject({ decline: 'refused', code: 'REBUILD_NOT_ALLOWED' });
  expectNothingDone(npm);
  await npm.declare({ rebuild_allowed: ['addon'] });
  expect((await heal()).facts).toMatchObject({ why: 'native', package: { name: 'addon' }, state: { rebuildable: ['addon'] } });
  expect(existsSync(npm.module('addon', 'addon.node'))).toBe(true);
  expect(existsSync(npm.module('noise', 'ran'))).toBe(false);
});

test('a compiled part that loaded and does not after a clean install is noticed, and undone', async () => {
  const npm = bench = await openNpmBench({ resource: { rebuild_allowed: [] } });
  npm.remove('left');
  const context = await worldOf();
  const plan = await npm.plan(importError, context) as Planned;
  expect(plan.facts).toMatchObject({ loading: [{ name: 'addon', location: null }, { name: 'noise', location: null }] });
  await npm.execute(importError, context, plan);
  const checks = await npm.verify(importError, context, plan.facts);
  expect(checks).toMatchObject({ symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: false } });
  expect(checks.must_not_regress.found).toBe('addon no longer loads: its install script did not run');
  await undo(plan);
  expect(existsSync(npm.module('addon', 'addon.node'))).toBe(true);
});

test('what the registry serves is not what is locked: nothing in use is touched', async () => {
  const npm = bench = await openNpmBench();
  const left = npm.lock.packages['node_modules/left' as ''] as unknown as { integrity: string };
  const wrong = `sha512-${Buffer.alloc(64, 7).toString('base64')}`;
  npm.repository.commit({ 'package-lock.json': npm.text(npm.lock).replace(left.integrity, wrong) });
  npm.remove('left');
  const was = statSync(npm.module()).ino;
  const context = await worldOf();
  await expect(npm.execute(importError, context, await npm.plan(importError, context) as Planned)).rejects.toMatchObject({ type: 'INSTALL_FAILED', message: expect.stringContaining('EINTEGRITY') as string });
  expect(statSync(npm.module()).ino).toBe(was);
});

test('no commit to go by: refused, unless the binding says that the file counts', async () => {
  const npm = bench = await openNpmBench();
  npm.remove('left');
  rmSync(join(npm.project, '.git'), { recursive: true });
  expect(await planned()).toMatchObject({ decline: 'refused', code: 'LOCK_UNKNOWN' });
  expect(npm.registry.asked).toEqual([]);
  await heal({ lock_truth: 'file' });
});

test('pip: a distribution with a hash comes back', async () => {
  const pip = bench = await openPipBench();
  rmSync(pip.site('tinypkg'), { recursive: true });
  expect((await heal({ site_dir: 'site' })).facts).toMatchObject({ why: 'damaged', package: { name: 'tinypkg', version: '1.0.0' } });
  rmSync(pip.site('otherpkg'), { recursive: true });
  rmSync(pip.site('otherpkg-2.0.0.dist-info'), { recursive: true });
  expect((await heal({ site_dir: 'site' })).facts).toMatchObject({ why: 'absent', package: { name: 'otherpkg', version: '2.0.0' } });
});

test('pip: without hashes, undeclared, or asked for what it never had, nothing is installed', async () => {
  const pip = bench = await openPipBench({ hashed: 'unhashed' });
  rmSync(pip.site('tinypkg'), { recursive: true });
  expect(await planned({ site_dir: 'site' })).toMatchObject({ decline: 'refused', code: 'NOT_HASHED' });
  writeFileSync(join(pip.project, 'main.py'), 'import reqeusts\n');
  expect(await planned({ site_dir: 'site' })).toMatchObject({ decline: 'mission', code: 'UNDECLARED_PACKAGE' });
  await pip.close();
  const hashed = bench = await openPipBench({ main: 'import tinypkg.gone\n' });
  expect(await planned({ site_dir: 'site' })).toMatchObject({ decline: 'mission', code: 'IMPORT_IN_CODE' });
  expect(oursIn(hashed.project)).toEqual([]);
});

test('pip: a requirements file that drifted is restored', async () => {
  const pip = bench = await openPipBench();
  const committed = pip.read('requirements.txt');
  writeFileSync(join(pip.project, 'requirements.txt'), committed.replace('tinypkg==1.0.0', 'tinypkg==9.9.9'));
  rmSync(pip.site('tinypkg'), { recursive: true });
  expect((await heal({ site_dir: 'site' })).ran).toEqual(['install', 'restore-lock', 'swap']);
  expect(pip.read('requirements.txt')).toBe(committed);
});
