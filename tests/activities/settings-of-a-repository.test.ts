import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings, settingsFile } from '../../src/activities/settings.ts';
import type { RepositorySettings } from '../../src/domain/commands.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

const nothing: RepositorySettings = { commands: {}, stress_thresholds: [], protected_paths: [] };
async function settingsOf(files: Record<string, string>, registered = nothing): Promise<RepositorySettings> {
  const fetched = await workspace.fetched(workspace.repository({ 'README.md': 'x\n', ...files }));
  return readSettings(workspace.git, fetched.gitDir, fetched.base.commit, registered);
}
const json = JSON.stringify;
const manifest = (test?: string): string => json({ name: 'x', scripts: { build: 'tsc', ...(test === undefined ? {} : { test }) } });
const written = (text: string): Record<string, string> => ({ [settingsFile]: text });

test.each<[string, Record<string, string>]>([
  ['no package.json', {}], ['one without a test script', { 'package.json': manifest() }], ['one that is no JSON', { 'package.json': '{' }],
  ['one that is another kind of JSON', { 'package.json': 'null' }], ['scripts that are none', { 'package.json': '{"scripts": null}' }],
  ['a test script that is no text', { 'package.json': '{"scripts": {"test": ["rm"]}}' }], ['one in a folder only', { 'sub/package.json': manifest('node --test') }],
])('nothing comes of %s', async (_, files) => expect((await settingsOf(files)).commands).toEqual({}));

describe(settingsFile, () => {
  test('is taken whole, with what it leaves out detected', async () => {
    const settings = await settingsOf({
      'package.json': manifest('node --test'), 'package-lock.json': json({ packages: { 'node_modules/a': {} } }),
      ...written([
        'commands:', '  test: {argv: [npm, run, "test:ci"], timeout_seconds: 30.5, report: {format: junit, path: "reports/*.xml"}}',
        '  stress: {argv: [node, bench.js], report: {format: metrics_json, from: stdout}}',
        'stress_thresholds: [{metric: latency_p95_ms, max_ratio_to_base: 1.1}]', 'protected_paths: [".github/**"]', ''].join('\n')),
    });
    expect(settings).toEqual({
      commands: {
        setup: { argv: ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], timeout_seconds: 900, network: true },
        test: { argv: ['npm', 'run', 'test:ci'], timeout_seconds: 30.5, network: false, report: { format: 'junit', path: 'reports/*.xml' } },
        stress: { argv: ['node', 'bench.js'], timeout_seconds: 900, network: false, report: { format: 'metrics_json', from: 'stdout' } },
      },
      stress_thresholds: [{ metric: 'latency_p95_ms', max_ratio_to_base: 1.1 }],
      protected_paths: ['.github/**', settingsFile],
    });
  });

  test('takes a setup of several steps', async () => {
    const { commands } = await settingsOf(written('commands: {setup: {argv: [python3, -m, venv, .venv], next: [{argv: [make, deps], network: true}, {argv: [make, hooks], may_fail: true}]}}'));
    expect(commands.setup).toEqual({
      argv: ['python3', '-m', 'venv', '.venv'], timeout_seconds: 900, network: false,
      next: [{ argv: ['make', 'deps'], timeout_seconds: 900, network: true }, { argv: ['make', 'hooks'], timeout_seconds: 900, network: false, may_fail: true }],
    });
  });

  test('is protected itself, whether it is there or not', async () => {
    expect((await settingsOf({})).protected_paths).toEqual([settingsFile]);
    expect((await settingsOf(written(''))).protected_paths).toEqual([settingsFile]);
  });

  test.each<[string, string, string]>([
    ['an argv that is a shell line', 'commands: {test: {argv: npm test}}', 'commands.test.argv'],
    ['an empty argv', 'commands: {test: {argv: []}}', 'commands.test.argv'],
    ['a number in an argv', 'commands: {setup: {argv: [npm, 1]}}', 'commands.setup.argv.1'],
    ['a NUL in an argv', 'commands: {test: {argv: ["a\\0b"]}}', 'commands.test.argv.0'],
    ['no time at all', 'commands: {test: {argv: [x], timeout_seconds: 0}}', 'commands.test.timeout_seconds'],
    ['a time that is no number', 'commands: {test: {argv: [x], timeout_seconds: .nan}}', 'commands.test.timeout_seconds'],
    ['a format nobody knows', 'commands: {test: {argv: [x], report: {format: tap13, from: stdout}}}', 'commands.test.report.format'],
    ['a report that is nowhere', 'commands: {test: {argv: [x], report: {format: junit}}}', 'commands.test.report'],
    ['one that nobody can be asked for', 'commands: {test: {argv: [x], report: {format: tap}}}', 'commands.test.report'],
    ['further steps of a test', 'commands: {test: {argv: [x], next: [{argv: [y]}]}}', 'next'],
    ['a step that is none', 'commands: {setup: {argv: [x], next: [{argv: []}]}}', 'commands.setup.next.0.argv'],
    ['an unknown command', 'commands: {deploy: {argv: [x]}}', 'deploy'],
    ['an unknown field', 'commands: {test: {argv: [x], shell: true}}', 'shell'],
    ['an unknown section', 'hooks: {}', 'hooks'],
    ['a threshold without a limit', 'stress_thresholds: [{metric: x}]', 'stress_thresholds.0'],
    ['a path that is none', 'protected_paths: [1]', 'protected_paths.0'],
    ['a list', '[1, 2]', 'expected object'], ['a text', 'hello', 'expected object'],
    ['no YAML', 'a: [1', 'at line 1'], ['tabs', 'a:\n\tb: 1', 'line 2'], ['the same key twice', 'protected_paths: []\nprotected_paths: [x]', 'unique'],
  ])('with %s is refused, and the place is named', async (_, text, place) => {
    const refused = settingsOf(written(text));
    await expect(refused).rejects.toMatchObject({ type: 'SETTINGS_INVALID', nonRetryable: true, message: expect.stringContaining(settingsFile) });
    await expect(refused).rejects.toThrow(place);
  });

  test('with aliases that multiply is refused before they do', async () => {
    const levels = Array.from({ length: 20 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 10 }, () => `*l${i}`).join(', ')}]`);
    const started = process.cpuUsage();
    await expect(settingsOf(written(`l0: &l0 [x, x]\n${levels.join('\n')}\n`))).rejects.toMatchObject({ type: 'SETTINGS_INVALID' });
    expect(process.cpuUsage(started).user).toBeLessThan(5_000_000);
    await expect(settingsOf(written('commands: {setup: {argv: &same [make]}, test: {argv: *same}}'))).rejects.toMatchObject({ type: 'SETTINGS_INVALID' });
  });

  test('with tags of a language makes no objects of it', async () => {
    await expect(settingsOf(written('protected_paths: !!js/function "() => process.exit()"'))).rejects.toMatchObject({ type: 'SETTINGS_INVALID' });
    await expect(settingsOf(written('__proto__: {commands: {}}'))).rejects.toMatchObject({ type: 'SETTINGS_INVALID' });
  });

  test('is not followed where it is a symlink', async () => {
    const repository = workspace.repository({ 'real.yaml': 'protected_paths: [followed]\n' });
    repository.git('update-index', '--add', '--cacheinfo', `120000,${linkTo(repository.path, 'real.yaml')},${settingsFile}`);
    repository.git('commit', '-q', '-m', 'link');
    const fetched = await workspace.fetched(repository);
    const read = readSettings(workspace.git, fetched.gitDir, fetched.base.commit, nothing);
    await expect(read).rejects.toMatchObject({ type: 'SETTINGS_INVALID' });
  });
});

test('registered settings win, command by command; protected paths and thresholds of both hold', async () => {
  const registered: RepositorySettings = {
    commands: { test: { argv: ['make', 'check'], timeout_seconds: 5, network: false } },
    stress_thresholds: [{ metric: 'a', max: 1 }], protected_paths: ['infra/**'],
  };
  const settings = await settingsOf({
    'package.json': manifest('node --test'),
    ...written('commands: {test: {argv: ["true"]}, setup: {argv: [make, deps]}}\nstress_thresholds: [{metric: b, max: 2}]\nprotected_paths: [ci/**, infra/**]\n'),
  }, registered);
  expect(settings.commands.test?.argv).toEqual(['make', 'check']);
  expect(settings.commands.setup?.argv).toEqual(['make', 'deps']);
  expect(settings.stress_thresholds.map(({ metric }) => metric)).toEqual(['a', 'b']);
  expect(settings.protected_paths).toEqual(['infra/**', 'ci/**', settingsFile]);
});

test('the patch does not choose its judge: only the base commit is read', async () => {
  const fetched = await workspace.fetched(workspace.repository({ 'package.json': manifest('node --test') }));
  const applied = await workspace.apply(fetched, `diff --git a/${settingsFile} b/${settingsFile}\nnew file mode 100644\n--- /dev/null\n+++ b/${settingsFile}\n@@ -0,0 +1 @@\n+commands: {test: {argv: ["true"]}}\n`);
  expect(applied.outcome).toBe('passed');
  const settings = await readSettings(workspace.git, fetched.gitDir, fetched.base.commit, nothing);
  expect(settings.commands.test?.argv).toEqual(['npm', 'test', '--silent']);
});

function linkTo(path: string, target: string): string {
  return execFileSync('git', ['-C', path, 'hash-object', '-w', '--stdin'], { input: target, encoding: 'utf8' }).trim();
}
