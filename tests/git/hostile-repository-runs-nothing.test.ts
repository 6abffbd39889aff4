import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { changesBetween } from '../../src/git/vetting.ts';
import { patchIdOf } from '../../src/git/patch-id.ts';
import type { TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let canary: string;
/** Writes down who called it; a filter that only did that would empty the file, so it passes its input on. */
let trap: string;

beforeAll(async () => {
  workspace = await openWorkspace();
  canary = join(workspace.home, 'canary');
  trap = join(workspace.home, 'trap.sh');
  writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >> ${canary}\ncat\n`);
  chmodSync(trap, 0o755);
});
afterAll(() => workspace.close());
beforeEach(() => rmSync(canary, { force: true }));
afterEach(() => vi.unstubAllEnvs());

const hookNames = ['post-checkout', 'pre-commit', 'post-commit', 'post-merge', 'pre-receive', 'update', 'post-receive',
  'post-update', 'reference-transaction', 'post-index-change', 'pre-auto-gc', 'applypatch-msg', 'post-applypatch', 'pre-push', 'fsmonitor-watchman'];

function plantHooks(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of hookNames) {
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${trap} ${name}\n`);
    chmodSync(join(folder, name), 0o755);
  }
}

/** Everything a repository can say to make git run a command. */
function hostile(): TestRepository {
  const repository = workspace.repository({
    'a.txt': 'one\n', 'b.bin': 'two\n', '.gitattributes': '*.txt filter=evil diff=evil merge=evil\n*.bin filter=slow diff=other\n',
  });
  repository.commit({ 'a.txt': 'one\nmore\n', 'b.bin': 'changed\n' });
  plantHooks(join(repository.path, '.git', 'hooks'));
  for (const [key, value] of [
    ['core.fsmonitor', trap], ['core.pager', trap], ['core.editor', trap], ['core.sshCommand', trap], ['core.askPass', trap],
    ['core.alternateRefsCommand', trap], ['filter.evil.clean', trap], ['filter.evil.smudge', trap], ['filter.evil.required', 'true'],
    ['filter.slow.process', trap], ['diff.evil.textconv', trap], ['diff.other.command', trap], ['diff.external', trap], ['merge.evil.driver', trap],
    ['uploadpack.packObjectsHook', trap], ['gpg.program', trap], ['credential.helper', `!${trap}`], ['interactive.diffFilter', trap],
  ] as const) repository.git('config', key, value);
  return repository;
}

/** All that a mission does with git before its own commands run. */
async function wholeWay(repository: TestRepository): Promise<string> {
  const fetched = await workspace.fetched(repository);
  const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-1', fetched.base.commit);
  await workspace.git.run(['-C', path, 'status', '--porcelain', '--untracked-files=all']);
  const parent = await workspace.mirrors.resolve(fetched.repository_id, `${fetched.base.commit}~1`);
  expect(await changesBetween(workspace.git, fetched.gitDir, parent.tree, fetched.base.tree)).toHaveLength(2);
  await patchIdOf(workspace.git, fetched.gitDir, parent.commit, fetched.base.commit);
  const applied = await workspace.apply(fetched, 'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n-one\n+three\n more\n');
  expect(applied.outcome).toBe('passed');
  await workspace.worktrees.checkout(fetched.repository_id, 'MC-1', applied.candidate!.commit);
  await workspace.worktrees.release(fetched.repository_id, 'MC-1');
  return path;
}

test('the traps are real: plain git in that repository runs them', () => {
  const repository = hostile();
  writeFileSync(join(repository.path, 'a.txt'), 'touched\n');
  execFileSync('git', ['-C', repository.path, 'status'], { stdio: 'ignore' });
  expect(existsSync(canary)).toBe(true);
});

test('a repository with hooks, filters, textconv and fsmonitor is fetched, checked out, diffed and patched: none of it runs', async () => {
  await wholeWay(hostile());
  expect(existsSync(canary)).toBe(false);
});

test('hooks and a file system monitor that an install script left in the shared mirror do not run', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const fetched = await workspace.fetched(repository);
  plantHooks(join(fetched.gitDir, 'hooks'));
  repository.commit({ 'a.txt': 'two\n' });
  const moved = await workspace.mirrors.fetchTip(fetched, 'main');
  const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-2', moved.commit);
  execFileSync('git', ['-C', path, 'config', 'core.fsmonitor', trap]);
  await workspace.git.run(['-C', path, 'status']);
  const applied = await workspace.apply({ ...fetched, base: moved }, 'diff --git a/b.txt b/b.txt\nnew file mode 100644\n--- /dev/null\n+++ b/b.txt\n@@ -0,0 +1 @@\n+new\n');
  expect(applied.outcome).toBe('passed');
  expect(existsSync(canary)).toBe(false);
});

test('a filter that a command put into the shared configuration is gone before the next checkout', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n', '.gitattributes': '*.txt filter=evil\n' });
  const fetched = await workspace.fetched(repository);
  const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-5', fetched.base.commit);
  for (const key of ['filter.evil.smudge', 'filter.evil.clean']) execFileSync('git', ['-C', path, 'config', key, trap]);
  rmSync(join(path, 'a.txt'));
  await workspace.worktrees.checkout(fetched.repository_id, 'MC-5', fetched.base.commit);
  await workspace.git.run(['-C', path, 'status']);
  expect(existsSync(join(path, 'a.txt'))).toBe(true);
  expect(existsSync(canary)).toBe(false);
});

test.each(['.git', 'commondir'])('a repository in place of the worktree\'s %s brings no configuration of its own', async (place) => {
  const repository = workspace.repository({ 'a.txt': 'one\n', '.gitattributes': '*.txt filter=evil\n' });
  const fetched = await workspace.fetched(repository);
  const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-3', fetched.base.commit);
  // What a hostile test run can do: a whole repository with the right objects, and a filter.
  const commondir = join(execFileSync('git', ['-C', path, 'rev-parse', '--absolute-git-dir'], { encoding: 'utf8' }).trim(), 'commondir');
  const impostor = place === '.git' ? join(path, '.git') : join(workspace.home, 'impostor.git');
  rmSync(impostor, { force: true });
  execFileSync('git', ['clone', '--quiet', '--bare', '--shared', fetched.gitDir, impostor], { stdio: 'ignore' });
  for (const [key, value] of [['core.bare', 'false'], ['filter.evil.smudge', trap], ['filter.evil.clean', trap]] as const) {
    execFileSync('git', [`--git-dir=${impostor}`, 'config', key, value]);
  }
  if (place === 'commondir') writeFileSync(commondir, impostor);
  rmSync(join(path, 'a.txt'));
  expect(await workspace.worktrees.checkout(fetched.repository_id, 'MC-3', fetched.base.commit)).toBe(path);
  expect(existsSync(join(path, 'a.txt'))).toBe(true);
  expect(existsSync(canary)).toBe(false);
});

test('a bare repository inside of a tree is not taken for one', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const inner = join(repository.path, 'inner');
  execFileSync('git', ['init', '-q', '--bare', inner]);
  execFileSync('git', [`--git-dir=${inner}`, 'config', 'core.fsmonitor', trap]);
  execFileSync('git', [`--git-dir=${inner}`, 'config', 'core.worktree', '..']);
  execFileSync('git', [`--git-dir=${inner}`, 'config', 'core.bare', 'false']);
  writeFileSync(join(inner, 'refs', 'keep'), '');
  writeFileSync(join(inner, 'objects', 'keep'), '');
  repository.commit({});
  const fetched = await workspace.fetched(repository);
  const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-6', fetched.base.commit);
  await expect(workspace.git.run(['-C', join(path, 'inner'), 'status'])).rejects.toThrow('cannot use bare repository');
  expect(existsSync(canary)).toBe(false);
  execFileSync('git', ['-C', join(path, 'inner'), 'status'], { stdio: 'ignore' });
  expect(existsSync(canary), 'the trap is real').toBe(true);
});

test('files that a command left in the mirror to steer git are gone before the next checkout', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const first = repository.tip();
  repository.commit({ 'a.txt': 'two\n' });
  const fetched = await workspace.fetched(repository);
  const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-7', fetched.base.commit);
  mkdirSync(join(fetched.gitDir, 'info'), { recursive: true });
  mkdirSync(join(fetched.gitDir, 'objects', 'info'), { recursive: true });
  for (const [name, text] of [
    ['info/attributes', '*.txt text eol=crlf\n'], ['info/exclude', '*\n'], ['info/grafts', `${fetched.base.commit}\n`], ['shallow', `${fetched.base.commit}\n`],
    ['objects/info/alternates', '/nowhere/objects\n'],
  ] as const) writeFileSync(join(fetched.gitDir, name), text);
  rmSync(join(path, 'a.txt'));
  await workspace.worktrees.checkout(fetched.repository_id, 'MC-7', fetched.base.commit);
  expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('two\n');
  expect(await workspace.mirrors.resolve(fetched.repository_id, `${fetched.base.commit}~1`)).toMatchObject({ commit: first });
});

test('the user\'s git configuration and GIT_* environment are not looked at', async () => {
  const userHome = join(workspace.home, 'user-home');
  plantHooks(join(userHome, 'hooks'));
  const settings = ['[core]', `hooksPath = ${join(userHome, 'hooks')}`, `fsmonitor = ${trap}`, 'autocrlf = true', `attributesFile = ${join(userHome, 'attributes')}`,
    '[filter "evil"]', `clean = ${trap}`, `smudge = ${trap}`, '[commit]', 'gpgSign = true', '[gpg]', `program = ${trap}`, '[user]', 'name = Somebody', 'email = somebody@example.com', ''].join('\n');
  writeFileSync(join(userHome, '.gitconfig'), settings);
  writeFileSync(join(userHome, 'attributes'), '* filter=evil\n');
  mkdirSync(join(userHome, '.config', 'git'), { recursive: true });
  writeFileSync(join(userHome, '.config', 'git', 'config'), settings);
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const before = repository.tip();
  for (const [name, value] of Object.entries({
    HOME: userHome, XDG_CONFIG_HOME: join(userHome, '.config'), GIT_CONFIG_GLOBAL: join(userHome, '.gitconfig'), GIT_CONFIG_SYSTEM: join(userHome, '.gitconfig'),
    GIT_DIR: join(repository.path, '.git'), GIT_WORK_TREE: '/nowhere', GIT_INDEX_FILE: '/nowhere/index', GIT_OBJECT_DIRECTORY: '/nowhere',
    GIT_EXTERNAL_DIFF: trap, GIT_SSH_COMMAND: trap, GIT_ASKPASS: trap, GIT_EDITOR: trap, GIT_PAGER: trap, GIT_PROXY_COMMAND: trap,
    GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'filter.evil.smudge', GIT_CONFIG_VALUE_0: trap, GIT_AUTHOR_NAME: 'Somebody', GIT_AUTHOR_EMAIL: 'somebody@example.com',
    GIT_EXEC_PATH: userHome, GIT_TEMPLATE_DIR: userHome, GIT_NAMESPACE: 'other', GIT_ALLOW_PROTOCOL: 'ext',
  })) vi.stubEnv(name, value);

  const worker = await openWorkspace({ MISSION_CONTROL_REPO_ROOTS: workspace.home });
  onTestFinished(() => worker.close());
  const fetched = await worker.fetched(repository);
  expect(fetched.base.commit).toBe(before);
  await worker.worktrees.checkout(fetched.repository_id, 'MC-4', before);
  const applied = await worker.apply(fetched, 'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n');
  const author = await worker.git.text(['log', '-1', '--format=%an <%ae>, %cn', applied.candidate!.commit], { gitDir: fetched.gitDir });
  expect(author).toBe('Mission Control <mission-control@localhost>, Mission Control');
  expect(existsSync(canary)).toBe(false);
});

test('a command in place of a URL is refused, whatever the letter case', async () => {
  for (const origin of [`ext::${trap} %S`, `EXT::${trap}`, `--upload-pack=${trap}`, `-u${trap}`]) {
    const fetch = workspace.mirrors.fetchTip({ repository_id: 'repo-url', origin, kind: 'url' }, 'main');
    await expect(fetch, origin).rejects.toMatchObject({ type: 'REPOSITORY_UNREACHABLE' });
    await expect(workspace.mirrors.hasBranch(origin, 'main'), origin).rejects.toMatchObject({ type: 'REPOSITORY_UNREACHABLE' });
  }
  expect(existsSync(canary)).toBe(false);
});
