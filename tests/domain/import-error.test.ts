import { expect, test } from 'vitest';
import fc from 'fast-check';
import { isDecline } from '../../src/domain/healing.ts';
import { cureOf, type PackageFacts, type PackageState } from '../../src/domain/import-cure.ts';
import { readImportFailure, type ImportFailure } from '../../src/domain/import-failure.ts';
import { foldersFor, readNpmLock } from '../../src/domain/npm-lock.ts';
import { readRequirements } from '../../src/domain/requirements.ts';

// What Node 20 and Python 3.11 print.
test.each<[string, 'npm' | 'pip', string, Partial<ImportFailure>]>([
  ['ESM', 'npm', `Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'left' imported from /app/main.mjs\n    at x (y)\n  code: 'ERR_MODULE_NOT_FOUND'`, { kind: 'package', name: 'left', location: null, by_path: false }],
  ['ESM with a scope', 'npm', `Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@far/deep' imported from /real/node_modules/left/index.js`, { kind: 'package', name: '@far/deep', location: 'node_modules/left' }],
  ['CommonJS', 'npm', `Error: Cannot find module '@far/deep/part'\nRequire stack:\n- /app/node_modules/a/node_modules/@b/c/i.js\n- /app/main.js`, { kind: 'package', name: '@far/deep', location: 'node_modules/a/node_modules/@b/c', by_path: true }],
  ['relative', 'npm', `Error: Cannot find module './gone'\nRequire stack:\n- /app/main.js`, { kind: 'code' }],
  ['relative within a package', 'npm', `Error: Cannot find module './gone'\nRequire stack:\n- /app/node_modules/left/index.js`, { kind: 'package', name: 'left', location: 'node_modules/left', by_path: true }],
  ['relative, ESM', 'npm', `Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/app/gone.js' imported from /app/main.mjs`, { kind: 'code' }],
  ['file of a package, ESM', 'npm', `Error: Cannot find package '/app/node_modules/left/gone.js' imported from /app/main.mjs`, { kind: 'package', name: 'left', location: 'node_modules/left', by_path: true }],
  ['main of a package', 'npm', `Error: Cannot find module '/app/node_modules/left/gone.js'. Please verify that the package.json has a valid "main" entry`, { kind: 'package', name: 'left', by_path: true }],
  ['a compiled file that is missing', 'npm', `Error: Cannot find module './addon.node'\nRequire stack:\n- /app/node_modules/addon/index.js`, { kind: 'native', name: 'addon' }],
  ['a compiled file that does not load', 'npm', `Error: /app/node_modules/addon/build/addon.node: file too short\n  code: 'ERR_DLOPEN_FAILED'`, { kind: 'native', name: 'addon', location: 'node_modules/addon' }],
  ['bindings', 'npm', `Error: Could not locate the bindings file. Tried:\n → /app/node_modules/addon/build/addon.node\n → /app/x.node`, { kind: 'native', name: 'addon' }],
  ['export map', 'npm', `Error [ERR_PACKAGE_PATH_NOT_EXPORTED]: Package subpath './inner' is not defined by "exports" in /app/node_modules/shape/package.json imported from /app/main.mjs`, { kind: 'export', name: 'shape' }],
  ['export map without main', 'npm', `Error [ERR_PACKAGE_PATH_NOT_EXPORTED]: No "exports" main defined in /app/node_modules/@s/shape/package.json`, { kind: 'export', name: '@s/shape' }],
  ['missing export', 'npm', `SyntaxError: The requested module 'left' does not provide an export named 'zz'`, { kind: 'export', name: 'left' }],
  ['missing export of our own file', 'npm', `SyntaxError: The requested module './left.js' does not provide an export named 'zz'`, { kind: 'code' }],
  ['imports field', 'npm', `TypeError [ERR_PACKAGE_IMPORT_NOT_DEFINED]: Package import specifier "#x" is not defined in package /app/package.json`, { kind: 'code' }],
  ['a name that leads elsewhere', 'npm', `Error: /app/node_modules/../x.node: file too short`, { kind: 'code', name: null, location: null }],
  ['control characters', 'npm', `Error: Cannot find module 'left'\u001b[2J\u0000`, { kind: 'package', name: 'left', message: `Error: Cannot find module 'left' [2J` }],
  ['an alias is no package', 'npm', `Error: Cannot find module '@/components/x'`, { kind: 'code' }],
  ['another error', 'npm', `warning: Cannot find module 'optional'\nTypeError: x is not a function\n    at y`, { kind: 'unclear', message: 'TypeError' }],
  ['another error with a secret in it', 'npm', 'Error: connect ECONNREFUSED postgres://app:hunter2@db/app', { kind: 'unclear', message: 'Error' }],
  ['no error at all', 'npm', 'token=hunter2', { kind: 'unclear', message: '' }],
  ['nothing', 'npm', '', { kind: 'unclear', message: '' }],
  ['Python', 'pip', `Traceback (most recent call last):\n  File "main.py", line 1\nModuleNotFoundError: No module named 'tinypkg'`, { kind: 'package', name: 'tinypkg', by_path: false }],
  ['Python, a part of a module', 'pip', `ModuleNotFoundError: No module named 'tinypkg.a.b'`, { kind: 'package', name: 'tinypkg', by_path: true }],
  ['Python, missing name', 'pip', `ImportError: cannot import name 'x' from 'tinypkg.a' (/app/site/tinypkg/a.py)`, { kind: 'export', name: 'tinypkg' }],
  ['Python, relative', 'pip', 'ImportError: attempted relative import with no known parent package', { kind: 'code' }],
  ['Python, compiled', 'pip', 'ImportError: /app/_fast.cpython-311.so: undefined symbol: x', { kind: 'native', name: '_fast' }],
  ['Python, the last of a chain', 'pip', `ModuleNotFoundError: No module named 'ujson'\n\nDuring handling of the above exception, another exception occurred:\n\nModuleNotFoundError: No module named 'tinypkg'`, { kind: 'package', name: 'tinypkg' }],
  ['Python, another error', 'pip', `ModuleNotFoundError: No module named 'ujson'\nValueError: no`, { kind: 'unclear' }],
])('what is said of an import that fails: %s', (_, manager, output, expected) => {
  expect(readImportFailure(manager, output, ['/app', '/real'])).toMatchObject(expected);
});

const hash = (c: string): string => c.repeat(64);
const found: PackageFacts = { name: 'left', declared: true, locked: '1.2.3', installed: null, complete: null, folder: 'node_modules/left' };
const state: PackageState = {
  manager: 'npm', lock_file: 'package-lock.json', lock_sha256: hash('a'), truth: { commit: 'c'.repeat(40), manifest_sha256: hash('m'), lock_sha256: hash('a') },
  no_truth: null, manifest_drifted: false, unusable: null, live: '1:2', folder: '.mission-control-000000000000', package: found, top_level: [],
  scripted: [], rebuildable: [], problems: [], hosts: [],
};
const failure: ImportFailure = { kind: 'package', name: 'left', location: null, by_path: false, message: 'm' };
const drifted = { lock_sha256: hash('b') };

test.each<[string, Partial<ImportFailure>, Partial<PackageState>, Partial<PackageFacts>, string[], string]>([
  ['absent', {}, {}, {}, [], 'absent'],
  ['a package of a package', {}, {}, { declared: false }, [], 'absent'],
  ['another version', {}, {}, { installed: '1.0.0' }, [], 'other_version'],
  ['there, and lacks a file', { by_path: true }, {}, { installed: '1.2.3' }, [], 'damaged'],
  ['there, and lacks a listed file', {}, {}, { installed: '1.2.3', complete: false }, [], 'damaged'],
  ['whole, and asked for what it never had', { by_path: true }, {}, { installed: '1.2.3', complete: true }, [], 'IMPORT_IN_CODE'],
  ['whole, and looked for elsewhere', {}, {}, { installed: '1.2.3', complete: true }, [], 'WHOLE_AND_NOT_FOUND'],
  ['the lock file drifted', {}, drifted, {}, [], 'lock_drift'],
  ['the lock file is gone', {}, { lock_sha256: null }, {}, [], 'lock_drift'],
  ['neither declared nor locked', {}, {}, { declared: false, locked: null }, [], 'UNDECLARED_PACKAGE'],
  ['undeclared, and the lock file drifted', {}, drifted, { declared: false, locked: null }, [], 'UNDECLARED_PACKAGE'],
  ['undeclared, and the manifest drifted', {}, { manifest_drifted: true }, { declared: false, locked: null }, [], 'UNDECLARED_PACKAGE'],
  ['undeclared, compiled and allowed', { kind: 'native' }, {}, { declared: false, locked: null }, ['left'], 'UNDECLARED_PACKAGE'],
  ['undeclared, and the lock is unusable', {}, { unusable: { code: 'NOT_HASHED', reason: '' } }, { declared: false, locked: null }, [], 'UNDECLARED_PACKAGE'],
  ['declared and not locked', {}, {}, { locked: null }, [], 'NOT_LOCKED'],
  ['nothing to go by', {}, { truth: null, no_truth: 'no repository' }, {}, [], 'LOCK_UNKNOWN'],
  ['locked without hashes', {}, { unusable: { code: 'NOT_HASHED', reason: '' } }, {}, [], 'NOT_HASHED'],
  ['the manifest drifted', {}, { manifest_drifted: true }, {}, [], 'MANIFEST_DRIFT'],
  ['export map of what is locked', { kind: 'export' }, {}, { installed: '1.2.3' }, [], 'EXPORT_MISSING'],
  ['export map of another version', { kind: 'export' }, {}, { installed: '2.0.0' }, [], 'other_version'],
  ['compiled, not allowed', { kind: 'native' }, {}, { installed: '1.2.3' }, ['right'], 'REBUILD_NOT_ALLOWED'],
  ['compiled, not allowed, drifted', { kind: 'native' }, drifted, { installed: '1.2.3' }, [], 'REBUILD_NOT_ALLOWED'],
  ['compiled, allowed', { kind: 'native' }, {}, { installed: '1.2.3' }, ['left'], 'native'],
  ['compiled, outside of the project', { kind: 'native', name: null }, {}, {}, [], 'NOT_IN_PROJECT'],
  ['compiled, of pip, allowed by another spelling', { kind: 'native' }, { manager: 'pip' }, { name: 'tiny-pkg', installed: '1.2.3' }, ['Tiny_Pkg'], 'native'],
  ['a file of the project', { kind: 'code', name: null }, drifted, {}, [], 'IMPORT_IN_CODE'],
  ['no import at all', { kind: 'unclear', name: null }, {}, {}, [], 'NO_IMPORT_ERROR'],
  ['not looked up', {}, { package: null }, {}, [], 'PACKAGE_UNKNOWN'],
])('what is done: %s', (_, saidOtherwise, stateOtherwise, packageOtherwise, allowed, expected) => {
  const cure = cureOf({ ...failure, ...saidOtherwise }, { ...state, package: { ...found, ...packageOtherwise }, ...stateOtherwise }, allowed);
  expect(isDecline(cure) ? cure.code : cure.why).toBe(expected);
  expect(isDecline(cure) ? false : cure.restore_lock).toBe(expected === 'lock_drift');
});

test('whatever is said and found, only a package that the lock file that counts names is installed for', () => {
  const version = fc.constantFrom(null, '1.2.3', '2.0.0');
  fc.assert(fc.property(
    fc.record({ kind: fc.constantFrom<ImportFailure['kind']>('package', 'native', 'export', 'code', 'unclear'), by_path: fc.boolean() }),
    fc.record({ declared: fc.boolean(), locked: version, installed: version, complete: fc.constantFrom(true, false, null) }),
    fc.record({ manifest_drifted: fc.boolean(), lock_sha256: fc.constantFrom(null, hash('a'), hash('b')), truth: fc.constantFrom(null, state.truth), unusable: fc.constantFrom(null, { code: 'NOT_HASHED', reason: '' }) }),
    fc.constantFrom<string[]>([], ['left']),
    (said, pack, more, allowed) => {
      const cure = cureOf({ ...failure, ...said }, { ...state, ...more, package: { ...found, ...pack } }, allowed);
      const fit = pack.locked !== null && more.truth !== null && more.unusable === null && !more.manifest_drifted;
      expect(isDecline(cure) || fit).toBe(true);
      expect(isDecline(cure) || said.kind !== 'native' || allowed.includes('left')).toBe(true);
    }));
});

const entry = { version: '1.0.0', integrity: 'sha512-x', resolved: 'https://registry.example/a.tgz' };
test.each<[string, unknown, string | null]>([
  ['all hashed', { lockfileVersion: 3, packages: { '': {}, 'node_modules/a': entry } }, null],
  ['what lies in another package has that one\'s hash', { lockfileVersion: 3, packages: { 'node_modules/a': entry, 'node_modules/a/node_modules/b': { version: '1.0.0', inBundle: true } } }, null],
  ['an old form', { lockfileVersion: 1, dependencies: {} }, 'LOCK_FORMAT'],
  ['no lock file at all', [], 'LOCK_FORMAT'],
  ['from git', { lockfileVersion: 3, packages: { 'node_modules/a': { version: '1.0.0', resolved: 'git+ssh://git@example/a.git#abc' } } }, 'NOT_HASHED'],
  ['a folder elsewhere', { lockfileVersion: 3, packages: { 'node_modules/../../x': entry } }, 'LOCK_FORMAT'],
  ['a link', { lockfileVersion: 3, packages: { 'node_modules/a': { link: true, resolved: 'packages/a' } } }, 'LOCAL_PACKAGE'],
  ['a workspace', { lockfileVersion: 3, packages: { 'packages/a': { version: '1.0.0' } } }, 'LOCAL_PACKAGE'],
  ['a file of the project', { lockfileVersion: 3, packages: { 'node_modules/a': { ...entry, resolved: 'file:vendor/a.tgz' } } }, 'LOCAL_PACKAGE'],
])('a lock file of npm: %s', (_, lock, code) => {
  expect(readNpmLock(JSON.stringify(lock)).unusable?.code ?? null).toBe(code);
});

test('a package is looked for where Node looks', () => {
  expect(foldersFor('x', null)).toEqual(['node_modules/x']);
  expect(foldersFor('x', 'node_modules/@a/b/node_modules/c')).toEqual([
    'node_modules/@a/b/node_modules/c/node_modules/x', 'node_modules/@a/b/node_modules/x', 'node_modules/x',
  ]);
});

const pinned = `--hash=sha256:${hash('a')}`;
test.each<[string, string, string | null, Record<string, string | null>]>([
  ['all hashed', `# locked\n--no-index\nTiny.Pkg==1.0.0 \\\n    ${pinned} \\\n    ${pinned}\nb[extra]==2 ; python_version > "3" ${pinned}  # via x\n`, null, { 'tiny-pkg': '1.0.0', b: '2' }],
  ['one without a hash', `a==1.0.0 ${pinned}\nb==2\n`, 'NOT_HASHED', { a: '1.0.0', b: '2' }],
  ['a range', `a>=1.0.0 ${pinned}\n`, 'NOT_HASHED', { a: null }],
  ['a wildcard', `a==1.* ${pinned}\n`, 'NOT_HASHED', { a: null }],
  ['a URL', `a @ https://example.org/a.whl ${pinned}\n`, 'NOT_HASHED', { a: null }],
  ['an editable folder', '-e .\n', 'REQUIREMENT_OPTION', {}],
  ['another file', '-r more.txt\n', 'REQUIREMENT_OPTION', {}],
  ['building from sources', '--no-binary :all:\n', 'REQUIREMENT_OPTION', {}],
  ['a folder', './vendored\n', 'LOCK_FORMAT', {}],
])('requirements: %s', (_, text, code, pins) => {
  const read = readRequirements(text);
  expect(read.unusable?.code ?? null).toBe(code);
  expect(Object.fromEntries(read.pins)).toEqual(pins);
});
