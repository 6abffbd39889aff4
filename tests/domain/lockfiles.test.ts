import { expect, test } from 'vitest';
import { lockfilesOf } from '../../src/domain/lockfiles.ts';

test.each([
  'package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'packages/a/package.json', '.npmrc',
  'pyproject.toml', 'setup.py', 'setup.cfg', 'uv.lock', 'requirements.txt', 'requirements-dev.txt', 'requirements/test.txt', 'constraints.txt',
  'go.mod', 'go.sum', 'Cargo.toml', 'Cargo.lock', 'crates/a/Cargo.toml',
])('%s decides what is installed', (path) => expect(lockfilesOf([path])).toEqual([path]));

test.each([
  'README.md', 'lock', 'package.json.bak', 'my-package.json', 'node_modules/a/package.json', 'vendor/x/go.mod', '.venv/lib/setup.py',
  'docs/requirements.md', 'Package.json',
])('%s does not', (path) => expect(lockfilesOf([path])).toEqual([]));

test('the order is that of the bytes, whatever order the paths came in', () => {
  expect(lockfilesOf(['yarn.lock', 'src/x.js', 'b/package.json', 'package.json'])).toEqual(['b/package.json', 'package.json', 'yarn.lock']);
});
