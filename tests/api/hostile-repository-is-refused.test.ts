import { chownSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, changingNothing, expectProblem, keyFor } from '../support/http.ts';
import { calculator, type TestRepository } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let key: string;
let repository: TestRepository;
beforeAll(async () => {
  system = await startSystem();
  key = await keyFor(system, 'operator', 'operator');
  repository = system.repository(calculator);
});
afterAll(() => system.stop());

const register = (json: Record<string, unknown>) => call(system.url, '/mission-control/repositories', { key, json: { name: 'x', ...json } });
const refused = (json: Record<string, unknown>, status: number, code: string, path: string): Promise<void> =>
  changingNothing(system.db.database, async () => expectProblem(await register(json), status, code, path));

test.each([
  '--upload-pack=touch /tmp/x', '--upload-pack=touch', '-oProxyCommand=x', '-u', '/etc', '../x',
  'user@host:path', 'https://', 'https:// /', 'x', 'https://example.com/a\nb', 'https://exa\tmple.com/a', 'https://example.com/a%0ab', 'https://example.com/a%00b',
  'https://example.com/%zz', 'ssh://', 'ssh:///a', 'https:\\\\example.com\\a',
])('%j is no URL', (url) => refused({ url, default_branch: 'main' }, 400, 'GIT_URL_INVALID', 'url'));

test('a NUL in the URL is refused before it is looked at', () =>
  refused({ url: 'https://example.com/a\0b', default_branch: 'main' }, 400, 'INVALID_REQUEST', 'url'));

test.each([
  'ext::sh -c touch% /tmp/x', 'EXT::sh -c true', 'Ext::true', 'file:///etc', 'FILE:///etc', 'file:/etc', 'fd::17', 'http://example.com/a.git', 'git://example.com/a', 'git+ssh://example.com/a',
  'ftp://example.com/a', 'rsync://example.com/a', 'javascript:alert(1)', 'data:,x', 'https://user:secret@example.com/a',
  'https://:secret@example.com/a', 'ssh://user:secret@example.com/a', 'ssh://-oProxyCommand=x/a', 'ssh://-oProxyCommand=x@example.com/a',
  'ssh://%2doProxyCommand=x/a', 'ssh://%2doProxyCommand=x@example.com/a', 'https://-x@example.com/a',
])('the URL %s is forbidden', (url) => refused({ url, default_branch: 'main' }, 400, 'GIT_URL_FORBIDDEN', 'url'));

test('a refused URL with a password does not come back', async () => {
  for (const url of ['https://user:hunter2@example.com/a', 'https://user:hunter2@']) {
    expect((await register({ url, default_branch: 'main' })).text).not.toContain('hunter2');
  }
});

test.each(['-x', '--output=/tmp/x', 'a b', 'refs/heads/x', 'x..y', ''])('a default branch %j is refused', (default_branch) =>
  refused({ path: repository.path, default_branch }, 400, 'GIT_REF_INVALID', 'default_branch'));

test.each(['../x', '-x', '', 'a/b', 'a b', 'x'.repeat(201), '.hidden'])('a name %j is refused', (name) =>
  refused({ name, path: repository.path }, 400, 'INVALID_REQUEST', 'name'));

test('neither path nor url, and both', async () => {
  expectProblem(await register({}), 400, 'INVALID_REQUEST');
  expectProblem(await register({ path: repository.path, url: 'https://example.com/a' }), 400, 'INVALID_REQUEST');
});

test('commands are argv arrays: a shell line is refused, as is a field that nobody knows', async () => {
  await refused({ path: repository.path, commands: { test: { argv: 'npm test' } } }, 400, 'INVALID_REQUEST', 'commands.test.argv');
  await refused({ path: repository.path, commands: { test: { argv: ['npm'], shell: true } } }, 400, 'UNKNOWN_FIELD', 'commands.test.shell');
  await refused({ path: repository.path, commands: { deploy: { argv: ['npm'] } } }, 400, 'UNKNOWN_FIELD', 'commands.deploy');
  await refused({ path: repository.path, commands: { test: { argv: ['npm'], env: { LD_PRELOAD: '/x' } } } }, 400, 'UNKNOWN_FIELD', 'commands.test.env');
  await refused({ path: repository.path, commands: { test: { argv: ['a\0b'] } } }, 400, 'INVALID_REQUEST', 'commands.test.argv.0');
});

test('paths are held to the roots here too', async () => {
  const link = join(system.home, 'repositories', 'link');
  symlinkSync('/etc', link);
  for (const path of ['/etc', link, 'relative', `${repository.path}/../../keys`]) await refused({ path }, 422, 'PATH_FORBIDDEN', 'path');
});

test('a repository whose objects lie outside of the roots', async () => {
  const borrower = system.repository(calculator);
  writeFileSync(join(borrower.path, '.git', 'objects', 'info', 'alternates'), '/var/lib\n');
  await refused({ path: borrower.path }, 422, 'PATH_FORBIDDEN', 'path');
});

test.runIf(process.getuid?.() === 0)('a repository of another user: 403, and nothing is trusted for it', async () => {
  const foreign = system.repository(calculator);
  for (const path of [foreign.path, join(foreign.path, '.git')]) chownSync(path, 12_345, 12_345);
  await refused({ path: foreign.path }, 403, 'REPOSITORY_NOT_OWNED', 'path');
});

test('a repository is registered once, whatever it is called', async () => {
  const first = await register({ name: 'mine', path: repository.path });
  expect(first.status, first.text).toBe(201);
  await changingNothing(system.db.database, async () => {
    expectProblem(await register({ name: 'again', path: repository.path }), 409, 'REPOSITORY_EXISTS');
    expectProblem(await register({ name: 'again', path: `${repository.path}/.` }), 409, 'REPOSITORY_EXISTS');
    expectProblem(await register({ name: 'mine', path: system.repository(calculator).path }), 409, 'REPOSITORY_EXISTS', 'name');
  });
});

test('a hook or filter of a hostile repository does not run when it is registered', async () => {
  const hostile = system.repository(calculator);
  const canary = join(system.home, 'ran');
  for (const setting of ['core.fsmonitor', 'core.sshCommand', 'uploadpack.packObjectsHook', 'core.pager']) hostile.git('config', setting, `touch ${canary}`);
  expect((await register({ name: 'hostile', path: hostile.path })).status).toBe(201);
  await expect(import('node:fs/promises').then(({ stat }) => stat(canary))).rejects.toThrow('ENOENT');
});
