import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRepository, type TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
/** Lies beside the allowed root: nothing of it may ever come into a mirror. */
let secret: TestRepository;
beforeAll(async () => {
  workspace = await openWorkspace();
  secret = makeRepository(join(workspace.home, 'elsewhere'), { 'secret.txt': 'not for missions\n' });
});
afterAll(() => workspace.close());

const refOf = ({ path }: { path: string }) => ({ repository_id: 'repo_borrowing', origin: path, kind: 'path' as const });

async function expectForbidden(repository: { path: string }, place: string): Promise<void> {
  const refused = { type: 'PATH_FORBIDDEN', nonRetryable: true, message: expect.stringContaining(place) };
  await expect(workspace.mirrors.fetchTip(refOf(repository), 'main')).rejects.toMatchObject(refused);
  await expect(workspace.mirrors.fetchCommit(refOf(repository), secret.tip())).rejects.toMatchObject(refused);
  await expect(workspace.mirrors.defaultBranch(repository.path)).rejects.toMatchObject(refused);
  await expect(workspace.mirrors.hasBranch(repository.path, 'main')).rejects.toMatchObject(refused);
  const gitDir = workspace.mirrors.pathOf('repo_borrowing');
  const { code } = await workspace.git.run(['cat-file', '-e', secret.tip()], { gitDir, okCodes: [1, 128] });
  expect(code).not.toBe(0);
}

const objectsOf = (repository: TestRepository): string => join(repository.path, '.git', 'objects');
const alternatesOf = (repository: TestRepository): string => join(objectsOf(repository), 'info', 'alternates');

describe('a local origin that leads outside of the allowed roots: PATH_FORBIDDEN, and nothing is fetched', () => {
  const ways: [string, (repository: TestRepository) => void][] = [
    ['objects/info/alternates', (repository) => {
      writeFileSync(alternatesOf(repository), `# comment\n\n${objectsOf(secret)}\n`);
      repository.git('reset', '--quiet', '--hard', secret.tip());
    }],
    ['alternates by a relative path', (repository) => writeFileSync(alternatesOf(repository), `../../../../elsewhere/${secret.path.split('/').at(-1)}/.git/objects\n`)],
    ['alternates in quotes', (repository) => writeFileSync(alternatesOf(repository), `"${objectsOf(secret)}"\n`)],
    ['alternates of alternates', (repository) => {
      const lender = workspace.repository({ 'b.txt': 'two\n' });
      writeFileSync(alternatesOf(lender), `${objectsOf(secret)}\n`);
      writeFileSync(alternatesOf(repository), `${objectsOf(lender)}\n`);
    }],
    ['a .git file', (repository) => {
      rmSync(join(repository.path, '.git'), { recursive: true });
      writeFileSync(join(repository.path, '.git'), `gitdir: ${join(secret.path, '.git')}\n`);
    }],
    ['a .git that is a symlink', (repository) => {
      rmSync(join(repository.path, '.git'), { recursive: true });
      symlinkSync(join(secret.path, '.git'), join(repository.path, '.git'));
    }],
    ['a commondir', (repository) => writeFileSync(join(repository.path, '.git', 'commondir'), join(secret.path, '.git'))],
    ['objects that are a symlink', (repository) => {
      rmSync(objectsOf(repository), { recursive: true });
      symlinkSync(objectsOf(secret), objectsOf(repository));
    }],
    ['one folder of objects that is a symlink', (repository) => {
      const [some] = readdirSync(objectsOf(secret)).filter((name) => name.length === 2);
      rmSync(join(objectsOf(repository), some!), { recursive: true, force: true });
      symlinkSync(join(objectsOf(secret), some!), join(objectsOf(repository), some!));
    }],
    ['a pack that is a symlink', (repository) => {
      secret.git('repack', '-adq');
      for (const name of readdirSync(join(objectsOf(secret), 'pack'))) symlinkSync(join(objectsOf(secret), 'pack', name), join(objectsOf(repository), 'pack', name));
    }],
  ];
  test.each(ways)('%s', async (_, lead) => {
    const repository = workspace.repository({ 'a.txt': 'one\n' });
    lead(repository);
    await expectForbidden(repository, repository.path);
  });
});

test('objects that an origin borrows within the roots are copied: the mirror borrows nothing', async () => {
  const lender = workspace.repository({ 'a.txt': 'lent\n' });
  const borrower = workspace.repository({ 'b.txt': 'own\n' });
  writeFileSync(alternatesOf(borrower), `${objectsOf(lender)}\n`);
  borrower.git('reset', '--quiet', '--hard', lender.tip());
  const fetched = await workspace.fetched(borrower);
  for (const repository of [lender, borrower]) rmSync(repository.path, { recursive: true });
  expect(existsSync(join(fetched.gitDir, 'objects', 'info', 'alternates'))).toBe(false);
  expect(await workspace.git.text(['fsck', '--full', '--strict'], { gitDir: fetched.gitDir })).toBe('');
});

test('a linked worktree of a repository under a root is an origin like any other', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const linked = join(workspace.home, 'repositories', 'linked');
  repository.git('worktree', 'add', '-q', '-b', 'side', linked);
  expect(await workspace.mirrors.fetchTip({ ...refOf({ path: linked }), repository_id: 'repo_linked' }, 'side')).toMatchObject({ commit: repository.tip() });
});

describe('objects that are missing in a partial clone', () => {
  /** An origin that lacks a blob and would have git ask its promisor for it, by a command of its choice. */
  function promising(canary: string): TestRepository {
    const repository = workspace.repository({ 'a.txt': 'one\n', 'b.txt': 'two\n' });
    const trap = join(workspace.home, 'promisor.sh');
    writeFileSync(trap, `#!/bin/sh\ntouch ${canary}\nexec git-upload-pack "$@"\n`);
    chmodSync(trap, 0o755);
    for (const [key, value] of [
      ['core.repositoryFormatVersion', '1'], ['extensions.partialClone', 'evil'], ['remote.evil.url', repository.path], ['remote.evil.promisor', 'true'],
      ['remote.evil.partialCloneFilter', 'blob:none'], ['remote.evil.uploadpack', trap],
    ] as const) repository.git('config', key, value);
    const blob = repository.git('rev-parse', 'HEAD:b.txt').trim();
    renameSync(join(objectsOf(repository), blob.slice(0, 2), blob.slice(2)), join(workspace.home, `${blob}.away`));
    return repository;
  }

  test('are not fetched on behalf of an origin: the fetch fails and nothing of its choice runs', async () => {
    const canary = join(workspace.home, 'lazy-origin');
    const repository = promising(canary);
    await expect(workspace.mirrors.fetchTip({ ...refOf(repository), repository_id: 'repo_lazy' }, 'main')).rejects.toMatchObject({ type: 'REPOSITORY_UNREACHABLE' });
    expect(existsSync(canary)).toBe(false);
    // The trap is real: git that may fetch lazily runs it.
    spawnSync('git', ['-C', repository.path, 'cat-file', '-t', 'HEAD:b.txt'], { stdio: 'ignore', env: { PATH: process.env['PATH'], HOME: '/nonexistent' } });
    expect(existsSync(canary)).toBe(true);
  });

  test('are not fetched into a mirror either: it is never a partial clone, also when a command made it one', async () => {
    const canary = join(workspace.home, 'lazy-mirror');
    const repository = workspace.repository({ 'a.txt': 'one\n' });
    const fetched = await workspace.fetched(repository);
    const config = (): Promise<string> => workspace.git.text(['config', '--local', '--list'], { gitDir: fetched.gitDir });
    expect(await config()).not.toMatch(/partialclone|promisor/i);
    const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-lazy', fetched.base.commit);
    const evil = promising(canary);
    for (const [key, value] of [
      ['core.repositoryFormatVersion', '1'], ['extensions.partialClone', 'evil'], ['remote.evil.url', evil.path], ['remote.evil.promisor', 'true'],
      ['remote.evil.uploadpack', join(workspace.home, 'promisor.sh')],
    ] as const) execFileSync('git', ['-C', path, 'config', key, value]);
    await workspace.worktrees.checkout(fetched.repository_id, 'MC-lazy', fetched.base.commit);
    expect(await config()).not.toMatch(/partialclone|promisor/i);
    expect((await workspace.git.run(['cat-file', '-t', '1'.repeat(40)], { gitDir: fetched.gitDir, okCodes: [1, 128] })).code).toBe(128);
    expect(existsSync(canary)).toBe(false);
  });
});

describe('git\'s own check of every object that arrives', () => {
  const raw = (repository: TestRepository, type: string, content: string | Buffer): string =>
    execFileSync('git', ['-C', repository.path, 'hash-object', '-t', type, '-w', '--literally', '--stdin'], { encoding: 'utf8', input: content }).trim();
  const id = (repository: TestRepository, name: string): Buffer => Buffer.from(repository.git('rev-parse', name).trim(), 'hex');
  const entry = (mode: string, name: string, object: Buffer): Buffer => Buffer.concat([Buffer.from(`${mode} ${name}\0`), object]);
  const commitOf = (repository: TestRepository, tree: string, people = 'author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000'): void => {
    repository.git('update-ref', 'refs/heads/main', raw(repository, 'commit', `tree ${tree}\n${people}\n\nmessage\n`));
  };
  const fetch = (repository: TestRepository, n: number) => workspace.mirrors.fetchTip({ ...refOf(repository), repository_id: `repo_fsck_${n}` }, 'main');

  test.each<[string, string, (repository: TestRepository) => Buffer]>([
    ['a folder named .git', 'hasDotgit', (r) => entry('40000', '.git', id(r, 'HEAD^{tree}'))],
    ['a file named ..', 'hasDotdot', (r) => entry('100644', '..', id(r, 'HEAD:a.txt'))],
    ['a name with a slash', 'fullPathname', (r) => entry('100644', 'x/y', id(r, 'HEAD:a.txt'))],
    ['a name twice', 'duplicateEntries', (r) => Buffer.concat([entry('100644', 'x', id(r, 'HEAD:a.txt')), entry('100644', 'x', id(r, 'HEAD:a.txt'))])],
    ['.gitmodules that is a symlink', 'gitmodulesSymlink', (r) => entry('120000', '.gitmodules', id(r, 'HEAD:a.txt'))],
    ['a submodule whose URL is an option', 'gitmodulesUrl', (r) => entry('100644', '.gitmodules',
      Buffer.from(raw(r, 'blob', '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch\n'), 'hex'))],
    ['a submodule whose name leads out', 'gitmodulesName', (r) => entry('100644', '.gitmodules',
      Buffer.from(raw(r, 'blob', '[submodule "../../x"]\n\tpath = x\n\turl = https://example.com/x\n'), 'hex'))],
  ])('%s: REPOSITORY_UNSOUND, %s', async (_, fault, make) => {
    const repository = workspace.repository({ 'a.txt': 'one\n' });
    commitOf(repository, raw(repository, 'tree', make(repository)));
    await expect(fetch(repository, 1)).rejects.toMatchObject({ type: 'REPOSITORY_UNSOUND', nonRetryable: true, message: expect.stringContaining(fault) });
  });

  test.each<[string, (repository: TestRepository) => void]>([
    ['a mode with a leading zero', (r) => commitOf(r, raw(r, 'tree', entry('040000', 'dir', id(r, 'HEAD^{tree}'))))],
    ['a person without an address', (r) => commitOf(r, r.tree(), 'author A 1 +0000\ncommitter A 1 +0000')],
    ['no space before the address', (r) => commitOf(r, r.tree(), 'author A<a@b> 1 +0000\ncommitter A<a@b> 1 +0000')],
    ['a time zone of seven digits', (r) => commitOf(r, r.tree(), 'author A <a@b> 1 +051800\ncommitter A <a@b> 1 +0000')],
    ['two authors', (r) => commitOf(r, r.tree(), 'author A <a@b> 1 +0000\nauthor B <b@b> 1 +0000\ncommitter A <a@b> 1 +0000')],
    ['a date with a leading zero', (r) => commitOf(r, r.tree(), 'author A <a@b> 01 +0000\ncommitter A <a@b> 1 +0000')],
    ['a submodule like any other', (r) => {
      r.write({ '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = https://example.com/x\n' });
      r.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},x`);
      r.git('add', '.gitmodules');
      r.git('commit', '-q', '-m', 'with a submodule');
    }],
  ])('%s, as old repositories have it, is no reason to refuse one', async (_, make) => {
    const repository = workspace.repository({ 'a.txt': 'one\n' });
    make(repository);
    expect(await fetch(repository, 2)).toMatchObject({ commit: repository.tip() });
  });
});
