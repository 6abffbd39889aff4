import { describe, expect, test } from 'vitest';
import { detectCommands } from '../../src/activities/detect/commands.ts';
import type { Commands } from '../../src/activities/detect/files.ts';

const detected = (files: Record<string, string>): Promise<Commands> => detectCommands({
  paths: Object.keys(files), has: (path) => Object.hasOwn(files, path), text: async (path) => files[path],
});
const json = JSON.stringify;
/** The argv of every step of the setup, as one line each. */
const setupOf = async (files: Record<string, string>): Promise<string[]> => {
  const { setup } = await detected(files);
  return setup === undefined ? [] : [setup.argv.join(' '), ...(setup.next ?? []).map((step) => step.argv.join(' '))];
};
const testOf = async (files: Record<string, string>): Promise<string | undefined> => (await detected(files)).test?.argv.join(' ');

describe('a package.json', () => {
  const manifest = (more: object = {}, scripts: object = {}): Record<string, string> => ({ 'package.json': json({ name: 'x', scripts: { test: 'mocha', ...scripts }, ...more }) });
  const lock = (packages: object): string => json({ lockfileVersion: 3, packages: { '': { name: 'x' }, ...packages } });

  test.each(['node --test', 'npm run lint && nyc mocha', 'vitest', 'node test.js', 'NODE_ENV=test jest'])('with the test script %j is run by npm, and its runner asked', async (script) => {
    expect((await detected(manifest({}, { test: script }))).test).toEqual({ argv: ['npm', 'test', '--silent'], timeout_seconds: 900, network: false, report: { format: 'auto' } });
  });

  test('as npm makes it, where there are no tests, is none', async () => {
    expect(await detected(manifest({}, { test: 'echo "Error: no test specified" && exit 1' }))).toEqual({});
  });

  test('needs no setup without packages', async () => {
    expect(await setupOf({ ...manifest(), 'package-lock.json': lock({}) })).toEqual([]);
    expect(await setupOf(manifest({ dependencies: {} }))).toEqual([]);
  });

  test('has its packages installed with the network and without their scripts, then their scripts run without the network', async () => {
    const { setup } = await detected({ ...manifest(), 'package-lock.json': lock({ 'node_modules/a': { hasInstallScript: true } }) });
    expect(setup).toEqual({
      argv: ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], timeout_seconds: 900, network: true,
      next: [{ argv: ['npm', 'rebuild'], timeout_seconds: 900, network: false, may_fail: true }],
    });
    expect(await setupOf({ ...manifest(), 'package-lock.json': lock({ 'node_modules/a': {} }) })).toEqual(['npm ci --ignore-scripts --no-audit --no-fund']);
  });

  test('has its own scripts run last, told to write no hooks', async () => {
    expect(await setupOf({ ...manifest({}, { prepare: 'husky', postinstall: 'node build.js' }), 'package-lock.json': lock({ 'node_modules/a': {} }) }))
      .toEqual(['npm ci --ignore-scripts --no-audit --no-fund', 'env HUSKY=0 npm run postinstall', 'env HUSKY=0 npm run prepare']);
  });

  test.each<[string, object, Record<string, string>, string]>([
    ['npm-shrinkwrap.json', {}, { 'npm-shrinkwrap.json': lock({ 'node_modules/a': {} }) }, 'npm ci --ignore-scripts --no-audit --no-fund'],
    ['pnpm-lock.yaml', {}, { 'pnpm-lock.yaml': '' }, 'pnpm install --frozen-lockfile --ignore-scripts'],
    ['yarn.lock of yarn 1', {}, { 'yarn.lock': '' }, 'yarn install --frozen-lockfile --ignore-scripts --non-interactive'],
    ['yarn.lock of a later yarn', {}, { 'yarn.lock': '', '.yarnrc.yml': '' }, 'yarn install --immutable --mode=skip-build'],
    ['no lockfile', { devDependencies: { mocha: '*' } }, {}, 'npm install --no-package-lock --ignore-scripts --no-audit --no-fund'],
    ['workspaces only', { workspaces: ['a'] }, {}, 'npm install --no-package-lock --ignore-scripts --no-audit --no-fund'],
  ])('and %s', async (_, more, files, first) => expect((await setupOf({ ...manifest(more), ...files }))[0]).toBe(first));

  test('of yarn without node_modules is run by yarn', async () => expect(await testOf({ ...manifest(), '.pnp.cjs': '' })).toBe('yarn run test'));
  test('without tests leaves the repository to its other language', async () => {
    expect(await testOf({ 'package.json': json({ scripts: { build: 'x' } }), 'go.mod': 'module x\n', 'x_test.go': '' })).toBe('go test -json ./...');
  });
});

describe('a Go module', () => {
  test('reports itself', async () => {
    expect(await detected({ 'go.mod': 'module x\n\ngo 1.21\n', 'a/a_test.go': '' })).toEqual({
      test: { argv: ['go', 'test', '-json', './...'], timeout_seconds: 1_800, network: false, report: { format: 'go_test_json', from: 'stdout' } },
    });
  });
  test.each<[string, Record<string, string>, string[]]>([
    ['that requires others', { 'go.mod': 'module x\nrequire a.b/c v1.0.0\n' }, ['go mod download']],
    ['that requires several', { 'go.mod': 'module x\nrequire (\n\ta.b/c v1.0.0\n)\n' }, ['go mod download']],
    ['that vendors them', { 'go.mod': 'module x\nrequire a.b/c v1.0.0\n', 'vendor/modules.txt': '' }, []],
  ])('%s', async (_, files, steps) => expect(await setupOf({ ...files, 'x_test.go': '' })).toEqual(steps));
  test('without tests is none', async () => expect(await detected({ 'go.mod': 'module x\n', 'x.go': '' })).toEqual({}));
});

describe('a Cargo package', () => {
  test('is tested to its last target, without the network', async () => {
    expect(await detected({ 'Cargo.toml': '[package]\nname = "x"\n' })).toEqual({
      test: { argv: ['cargo', 'test', '--offline', '--no-fail-fast'], timeout_seconds: 1_800, network: false, report: { format: 'cargo_test', from: 'stdout' } },
    });
  });
  test.each<[string, string, string[]]>([
    ['with dependencies', '[package]\n[dependencies]\nserde = "1"\n', ['cargo fetch']], ['with one in a section of its own', '[dependencies.serde]\nversion = "1"\n', ['cargo fetch']],
    ['with some for its tests', '[dev-dependencies]\n', ['cargo fetch']], ['with some for one system', "[target.'cfg(unix)'.dependencies]\n", ['cargo fetch']],
    ['that only talks of dependencies', '[package]\ndescription = "[dependencies]"\n', []],
  ])('%s', async (_, text, steps) => expect(await setupOf({ 'Cargo.toml': text })).toEqual(steps));
  test('that is a workspace is tested whole', async () => {
    expect(await testOf({ 'Cargo.toml': '[workspace]\nmembers = ["a"]\n' })).toBe('cargo test --offline --no-fail-fast --workspace');
  });
});

describe('a Python project', () => {
  const pip = '.venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check';
  const venv = 'python3 -m venv .venv';

  test('of the standard library alone is run by unittest, and it is asked', async () => {
    expect(await detected({ 'setup.cfg': '', 'test_a.py': '' })).toEqual({
      test: { argv: ['python3', '-m', 'unittest', 'discover'], timeout_seconds: 900, network: false, report: { format: 'auto' } },
    });
  });

  test.each<[string, Record<string, string>, string]>([
    ['in a package', { 'tests/__init__.py': '', 'tests/test_a.py': '' }, 'python3 -m unittest discover -s tests -t .'],
    ['in a folder', { 'tests/test_a.py': '', 'tests/deep/test_b.py': '' }, 'python3 -m unittest discover -s tests'],
    ['beside the code', { 'a.py': '', 'test_a.py': '', 'b/test_b.py': '' }, 'python3 -m unittest discover'],
    ['with names that end', { 'a_test.py': '' }, 'python3 -m unittest discover -p *_test*.py'],
  ])('finds tests %s', async (_, files, command) => expect(await testOf(files)).toBe(command));

  test.each<[string, Record<string, string>]>([
    ['pytest.ini', { 'pytest.ini': '' }], ['a conftest.py anywhere', { 'tests/conftest.py': '' }], ['pyproject.toml', { 'pyproject.toml': '[tool.pytest.ini_options]\n' }],
    ['setup.cfg', { 'setup.cfg': '[tool:pytest]\n' }], ['setup.py', { 'setup.py': "setup(tests_require=['pytest'])" }], ['tox.ini', { 'tox.ini': '[testenv]\ncommands = pytest\n' }],
    ['requirements', { 'requirements-dev.txt': 'pytest==8\n' }], ['uv.lock', { 'uv.lock': '[[package]]\nname = "pytest"\n' }],
  ])('is run by pytest where %s names it', async (_, files) => {
    const { test: command } = await detected({ ...files, 'tests/test_a.py': '' });
    expect(command).toEqual({ argv: ['.venv/bin/python', '-m', 'pytest', '--continue-on-collection-errors'], timeout_seconds: 900, network: false, report: { format: 'pytest_junit' } });
  });

  test.each<[string, Record<string, string>, string]>([
    ['requirements', { 'requirements.txt': '', 'requirements/test.txt': '' }, '-r requirements.txt -r requirements/test.txt'],
    ['the project, editable', { 'pyproject.toml': '[build-system]\nrequires = ["setuptools"]\n' }, '-e .'],
    ['its extras for tests, and no others', { 'pyproject.toml': '[project]\nname = "x"\n[project.optional-dependencies]\ndocs = ["sphinx"]\ntest = [\n  "mock",  # x\n]\ndev = []\n' }, '-e .[test,dev]'],
    ['its groups for tests', { 'pyproject.toml': '[dependency-groups]\ntest = ["mock>=5", {include-group = "x"}, "a[b]; python_version < \'3\'"]\ndocs = ["sphinx"]\n' }, "mock>=5 a[b]; python_version < '3'"],
    ['what tox installs', { 'tox.ini': '[tox]\nenvlist = py\n[testenv]\ndeps =\n    mock\n    -r requirements.txt\n    py27: old\ncommands = python -m unittest\n' }, 'mock'],
    ['setup.py', { 'setup.py': '' }, '-e .'], ['setup.cfg', { 'setup.cfg': '[metadata]\nname = x\n' }, '-e .'],
  ])('has %s installed', async (_, files, wanted) => {
    expect(await setupOf({ ...files, 'tests/test_a.py': '' })).toEqual([venv, `${pip} ${wanted}`]);
  });

  test.each(['--index-url=http://evil', '-e /etc', 'a @ http://evil/x.zip', 'a --hash=x', '/tmp/x.whl', 'a\n--pre', ''])('never passes %j of a manifest on to pip', async (value) => {
    const setup = await setupOf({ 'pyproject.toml': `[dependency-groups]\ntest = [${json(value)}]\n`, 'tox.ini': `[testenv]\ndeps = ${value}\n`, 'test_a.py': '' });
    expect(setup.join(' ')).not.toMatch(/evil|\/etc|hash|whl|--pre/);
  });

  test('without tests is none', async () => expect(await detected({ 'pyproject.toml': '[project]\n', 'a.py': '' })).toEqual({}));
});

describe('a Makefile', () => {
  test.each([['test:\n\ttrue\n', 'make test'], ['.PHONY: test\ntest : all\n', 'make test'], ['check:\n\ntest::\n', 'make test'], ['check: all\n', 'make check']])(
    '%j', async (text, command) => expect(await testOf({ Makefile: text })).toBe(command));
  test.each(['all:\n\ttest: x\n', 'test := x\n', 'test ::= x\n', 'tests:\n', '# test:\n', 'test = 1\n'])('%j has no tests', async (text) => expect(await detected({ Makefile: text })).toEqual({}));
  test('its runner is asked', async () => {
    expect((await detected({ GNUmakefile: 'test:\n', Makefile: 'check:\n' })).test).toEqual({ argv: ['make', 'test'], timeout_seconds: 1_800, network: false, report: { format: 'auto' } });
  });
  test('comes after every language', async () => expect(await testOf({ Makefile: 'test:\n', 'go.mod': 'module x', 'x_test.go': '' })).toBe('go test -json ./...'));
});

test.each(['package.json', 'go.mod', 'Cargo.toml', 'pyproject.toml', 'tox.ini', 'Makefile'])('200 KiB of blanks or brackets as %s hold nobody up', async (name) => {
  for (const text of ['\n', ' ', '\t\n', '[', '[a.', '"', "'", 'a = [', 'deps =\n ']) {
    await detected({ [name]: text.repeat(Math.ceil(200 * 1024 / text.length)), 'x_test.go': '', 'test_a.py': '' });
  }
});
