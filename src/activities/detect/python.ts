/** A Python project: pytest where anything names it, else unittest; what it needs goes into a virtualenv of the worktree. */
import { posix } from 'node:path';
import { type Commands, type RepositoryFiles, setupSeconds, steps, testSeconds } from './files.ts';
import { readPyproject, readToxDependencies } from './python-manifests.ts';

const testFile = /^(?:test_?[^/]*|[^/]*_tests?)\.py$/;
const requirementFiles = [
  'requirements.txt', 'requirements-dev.txt', 'requirements_dev.txt', 'dev-requirements.txt', 'requirements-test.txt',
  'requirements_test.txt', 'requirements-tests.txt', 'test-requirements.txt', 'tests/requirements.txt', 'requirements/dev.txt',
  'requirements/test.txt', 'requirements/tests.txt',
];
/** Bound to one worktree: its programs and editable installs name their own absolute path. */
const python = '.venv/bin/python';

export async function detectPython(files: RepositoryFiles): Promise<Commands | undefined> {
  const tests = files.paths.filter((path) => testFile.test(posix.basename(path)));
  if (tests.length === 0) return undefined;
  const pytest = await usesPytest(files);
  const wanted = await installed(files, pytest);
  const interpreter = wanted.length === 0 ? 'python3' : python;
  const setup = steps(wanted.length === 0 ? [] : [
    { argv: ['python3', '-m', 'venv', '.venv'], timeout_seconds: setupSeconds, network: false },
    { argv: [python, '-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', ...wanted], timeout_seconds: setupSeconds, network: true },
  ]);
  return {
    ...(setup === undefined ? {} : { setup }),
    test: {
      argv: [interpreter, '-m', ...(pytest ? ['pytest', '--continue-on-collection-errors'] : unittest(files, tests))], timeout_seconds: testSeconds, network: false,
      report: pytest ? { format: 'pytest_junit' } : { format: 'auto' },
    },
  };
}

async function usesPytest(files: RepositoryFiles): Promise<boolean> {
  if (files.paths.some((path) => ['pytest.ini', 'conftest.py'].includes(posix.basename(path)))) return true;
  const manifests = await Promise.all(['pyproject.toml', 'setup.cfg', 'setup.py', 'tox.ini', 'Pipfile', 'uv.lock', ...requirementFiles].map((file) => files.text(file)));
  return manifests.some((text) => text !== undefined && /\bpytest\b/.test(text));
}

/** Arguments of `pip install`: requirement files, the project itself (editable) with its test extras, test tools. */
async function installed(files: RepositoryFiles, pytest: boolean): Promise<string[]> {
  const pyproject = readPyproject(await files.text('pyproject.toml') ?? '');
  const setupCfg = await files.text('setup.cfg') ?? '';
  const isProject = pyproject.installable || files.has('setup.py') || /^\[metadata\]/m.test(setupCfg);
  const tox = readToxDependencies(await files.text('tox.ini') ?? '');
  const project = pyproject.extras.length === 0 ? '.' : `.[${pyproject.extras.join(',')}]`;
  return [
    ...requirementFiles.filter((file) => files.has(file)).flatMap((file) => ['-r', file]),
    ...(isProject ? ['-e', project] : []),
    ...pyproject.groups,
    ...tox,
    ...(pytest ? ['pytest'] : []),
  ];
}

/** unittest finds no tests in a folder that is no package, unless it is told to start there. */
function unittest(files: RepositoryFiles, tests: readonly string[]): string[] {
  const discover = ['unittest', 'discover'];
  const pattern = tests.some((path) => /^test[^/]*\.py$/.test(posix.basename(path))) ? [] : ['-p', '*_test*.py'];
  const folders = new Set(tests.map((path) => posix.dirname(path).split('/')[0]!));
  const [folder] = folders;
  if (folders.size !== 1 || folder === '.' || folder === undefined) return [...discover, ...pattern];
  return [...discover, '-s', folder, ...(files.has(`${folder}/__init__.py`) ? ['-t', '.'] : []), ...pattern];
}
