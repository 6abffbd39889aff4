import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { existsSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workspaceActivities } from '../../src/activities/workspace.ts';
import { maxBlobBytes, maxChangedFiles, vet, type Refused } from '../../src/git/vetting.ts';
import { makeTree, openWorkspace, type TreeEntry, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let fetched: Awaited<ReturnType<Workspace['fetched']>>;

beforeAll(async () => {
  workspace = await openWorkspace();
  fetched = await workspace.fetched(workspace.repository({ 'a.txt': 'one\n', 'dir/b.txt': 'two\n', 'Readme.md': 'hello\n' }));
});
afterAll(() => workspace.close());

const newFile = (path: string, text = 'evil', mode = '100644'): string =>
  `diff --git a/${path} b/${path}\nnew file mode ${mode}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${text}\n\\ No newline at end of file\n`;

/** In git's own base 85: binary patches of things that cannot be made in a folder. */
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';
function binaryFile(path: string, content: Buffer, mode: string): string {
  const packed = deflateSync(content, { level: 9 });
  const lines: string[] = [];
  for (let at = 0; at < packed.length; at += 52) {
    const part = packed.subarray(at, at + 52);
    const padded = Buffer.concat([part, Buffer.alloc((4 - (part.length % 4)) % 4)]);
    let line = String.fromCharCode(part.length <= 26 ? 64 + part.length : 70 + part.length);
    for (let i = 0; i < padded.length; i += 4) {
      let value = padded.readUInt32BE(i);
      let word = '';
      for (let n = 0; n < 5; n += 1) {
        word = digits.charAt(value % 85) + word;
        value = Math.floor(value / 85);
      }
      line += word;
    }
    lines.push(line);
  }
  const blob = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  return `diff --git a/${path} b/${path}\nnew file mode ${mode}\nindex ${'0'.repeat(40)}..${blob}\nGIT binary patch\nliteral ${content.length}\n${lines.join('\n')}\n\nliteral 0\nHcmV?d00001\n\n`;
}

/** The reason, after a look that the refusal left nothing behind. */
async function refusal(diff: string): Promise<string> {
  const applied = await workspace.apply(fetched, diff, 'MC-refused');
  expect(applied).toMatchObject({ outcome: 'failed', candidate: null });
  expect(await workspace.git.text(['for-each-ref', 'refs/mission-control/MC-refused'], { gitDir: fetched.gitDir })).toBe('');
  expect(readdirSync(join(workspace.home, 'scratch')).filter((name) => name.startsWith('index-'))).toEqual([]);
  return applied.reason!;
}

describe('a patch is refused with the path and the rule', () => {
  test.each([
    ['../outside.txt', 'invalid path \'../outside.txt\''], ['dir/../../outside.txt', 'invalid path \'dir/../../outside.txt\''],
    ['/etc/cron.d/evil', 'invalid path \'/etc/cron.d/evil\''], ['./dotted.txt', 'invalid path \'./dotted.txt\''],
    ['.git/hooks/post-checkout', '.git/hooks/post-checkout'], ['sub/.GIT/config', 'sub/.GIT/config'], ['git~1/config', 'git~1/config'],
    ['.git./config', '.git./config'], ['.git::$INDEX_ALLOCATION/config', '.git::$INDEX_ALLOCATION/config'],
    ['.g\u200cit/config', '.g\u200cit/config: a path of git itself'], ['sub/.git\ufeff/hooks/update', 'sub/.git\ufeff/hooks/update: a path of git itself'],
    ['git~2/config', 'git~2/config: a path of git itself'],
  ])('new file %j', async (path, named) => {
    const reason = await refusal(newFile(path));
    expect(reason).toContain(named);
    expect(reason).toContain('(PATCH_PATH_FORBIDDEN)');
    expect(existsSync(join(workspace.home, 'outside.txt'))).toBe(false);
  });

  test.each([
    ['link', '/etc/passwd'], ['dir/link', '../../x'], ['link', '.git/config'], ['dir/link', './../../mirrors'],
  ])('symlink %j to %j', async (path, target) => {
    expect(await refusal(newFile(path, target, '120000'))).toBe(`candidate 1 is refused: ${path}: a symlink that leaves the tree (PATCH_SYMLINK_FORBIDDEN)`);
  });

  test('two symlinks that lead out together, each of them innocent by its text', async () => {
    const reason = await refusal(newFile('x/y/z/up', '../../..', '120000') + newFile('out', 'x/y/z/up/../../home', '120000'));
    expect(reason).toBe('candidate 1 is refused: out: a symlink that leaves the tree (PATCH_SYMLINK_FORBIDDEN)');
  });

  test('a file behind a symlink, of the base or of the patch itself', async () => {
    const linked = workspace.repository({ 'dir/b.txt': 'two\n' });
    symlinkSync('dir', join(linked.path, 'link'));
    linked.commit({});
    const applied = await workspace.apply(await workspace.fetched(linked), newFile('link/evil.txt'), 'MC-refused');
    expect(applied.reason).toContain("'link/evil.txt' is beyond a symbolic link (PATCH_PATH_FORBIDDEN)");
    expect(await refusal(newFile('up', 'dir', '120000') + newFile('up/evil.txt'))).toContain("'up/evil.txt' is beyond a symbolic link (PATCH_PATH_FORBIDDEN)");
  });

  test('a file that becomes a symlink out of the tree', async () => {
    const reason = await refusal('diff --git a/a.txt b/a.txt\ndeleted file mode 100644\n--- a/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n' + newFile('a.txt', '/etc/passwd', '120000'));
    expect(reason).toContain('a.txt: a symlink that leaves the tree (PATCH_SYMLINK_FORBIDDEN)');
  });

  test('a submodule', async () => {
    const reason = await refusal(newFile('vendored', `Subproject commit ${'1'.repeat(40)}`, '160000').replace('\\ No newline at end of file\n', ''));
    expect(reason).toBe('candidate 1 is refused: vendored: a submodule change (SUBMODULE_FORBIDDEN)');
  });

  test.each([['README.md'], ['DIR/b.txt'], ['A.TXT']])('%j beside the same name in another case', async (path) => {
    expect(await refusal(newFile(path))).toBe(`candidate 1 is refused: ${path}: differs from another path only in case (PATCH_NAME_COLLISION)`);
  });

  test('a symlink and a folder that differ in case only: on macOS the one is written through the other', async () => {
    const reason = await refusal(newFile('Hooks', 'dir', '120000') + newFile('hooks/post-checkout'));
    expect(reason).toContain('Hooks: differs from another path only in case (PATCH_NAME_COLLISION)');
    expect(reason).toContain('hooks/post-checkout: differs from another path only in case (PATCH_NAME_COLLISION)');
  });

  test('a blob that is too large, out of a patch of a few kilobytes', async () => {
    const diff = binaryFile('large.bin', Buffer.alloc(maxBlobBytes + 1), '100644');
    expect(diff.length).toBeLessThan(100_000);
    expect(await refusal(diff)).toBe(`candidate 1 is refused: large.bin: larger than ${maxBlobBytes} bytes (PATCH_LIMIT)`);
  });

  test('a symlink with a target of 70 MB', async () => {
    expect(await refusal(binaryFile('link', Buffer.alloc(70 * 1024 * 1024, 'x'), '120000'))).toContain('link: a symlink to more than 4096 bytes (PATCH_SYMLINK_FORBIDDEN)');
  });

  test('too many files', async () => {
    const diff = Array.from({ length: maxChangedFiles + 1 }, (_, i) => newFile(`many/${i}.txt`)).join('');
    expect(await refusal(diff)).toBe(`candidate 1 is refused: the patch: more than ${maxChangedFiles} files changed (PATCH_LIMIT)`);
  });

  test.each([
    ['a.txt: patch does not apply', 'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-other\n+new\n'],
    ['changes nothing', 
      'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\ndiff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-two\n+one\n'],
    ['No valid patches in input', 'this is no patch\n'], ['does not apply', ''],
    ['gone.txt', 'diff --git a/gone.txt b/gone.txt\ndeleted file mode 100644\n--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n'],
  ])('or does not apply: %s', async (reason, diff) => expect(await refusal(diff)).toContain(reason));
});

describe('a tree that git apply would not make is refused all the same', () => {
  const file = { mode: '100644', name: 'x' };
  test.each<[string, TreeEntry[], Refused]>([
    ['..', [{ mode: '', name: '..', entries: [file] }], { code: 'PATCH_PATH_FORBIDDEN', path: '../x', rule: 'a path outside of the tree' }],
    ['.', [{ mode: '', name: '.', entries: [file] }], { code: 'PATCH_PATH_FORBIDDEN', path: './x', rule: 'a path outside of the tree' }],
    ['.git', [{ mode: '', name: '.git', entries: [file] }], { code: 'PATCH_PATH_FORBIDDEN', path: '.git/x', rule: 'a path of git itself' }],
    ['.GIT', [{ mode: '', name: 'sub', entries: [{ mode: '', name: '.GIT', entries: [file] }] }], { code: 'PATCH_PATH_FORBIDDEN', path: 'sub/.GIT/x', rule: 'a path of git itself' }],
    ['git~1', [{ mode: '100644', name: 'git~1' }], { code: 'PATCH_PATH_FORBIDDEN', path: 'git~1', rule: 'a path of git itself' }],
    ['a submodule', [{ mode: '160000', name: 'sub' }], { code: 'SUBMODULE_FORBIDDEN', path: 'sub', rule: 'a submodule change' }],
    ['a symlink', [{ mode: '120000', name: 'l', text: '../x' }], { code: 'PATCH_SYMLINK_FORBIDDEN', path: 'l', rule: 'a symlink that leaves the tree' }],
  ])('%s', async (_, entries, expected) => {
    const base = await makeTree(workspace, fetched.gitDir, []);
    const { refused } = await vet(workspace.git, fetched.gitDir, base, await makeTree(workspace, fetched.gitDir, entries));
    expect(refused).toEqual([expected]);
  });

  test('a set-user-id bit: in a patch and in a tree git reads it as an ordinary mode, so it never reaches a file', async () => {
    const applied = await workspace.apply(fetched, newFile('suid.sh', '#!/bin/sh', '104755'), 'MC-setuid');
    if (applied.candidate !== null) {
      expect(await workspace.git.text(['ls-tree', applied.candidate.tree, 'suid.sh'], { gitDir: fetched.gitDir })).toMatch(/^100755 /);
    }
    const blob = Buffer.from(await workspace.git.text(['hash-object', '-w', '--stdin'], { gitDir: fetched.gitDir, input: '#!/bin/sh\n' }), 'hex');
    const tree = await workspace.git.text(['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], {
      gitDir: fetched.gitDir, input: Buffer.concat([Buffer.from('104755 suid.sh\0'), blob]),
    });
    const { changes, refused } = await vet(workspace.git, fetched.gitDir, await makeTree(workspace, fetched.gitDir, []), tree);
    expect(changes).toMatchObject([{ path: 'suid.sh', new_mode: '100755' }]);
    expect(refused).toEqual([]);
    const commit = await workspace.git.text(['commit-tree', tree, '-m', 'x'], { gitDir: fetched.gitDir });
    const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-setuid', commit);
    expect(statSync(join(path, 'suid.sh')).mode & 0o6000).toBe(0);
    await workspace.worktrees.release(fetched.repository_id, 'MC-setuid');
  });

  test('a commit of ten million files in a few objects', async () => {
    const repository = workspace.repository({ 'a.txt': 'one\n' });
    const gitDir = join(repository.path, '.git');
    let tree = await makeTree(workspace, gitDir, [file]);
    for (let level = 0; level < 7; level += 1) {
      tree = await workspace.git.text(['mktree', '-z'], { gitDir, input: Array.from({ length: 10 }, (_, i) => `040000 tree ${tree}\td${i}\0`).join('') });
    }
    const ref = repository.git('commit-tree', tree, '-p', 'main', '-m', 'hostile').trim();
    repository.git('branch', 'hostile', ref);
    const { base, repository_id } = await workspace.fetched(repository);
    const applied = await new MockActivityEnvironment().run(() => workspaceActivities(workspace.deps).applyCandidate({
      mission_id: 'MC-many', attempt: 1, repository_id, base, candidate: { kind: 'commit', ref }, number: 1, protected_paths: [],
      commit_time: '2026-01-02T03:04:05Z', message: 'x',
    }));
    expect(applied).toMatchObject({ outcome: 'failed', reason: `candidate 1 does not apply: it has more than ${2 + maxChangedFiles} files (PATCH_LIMIT)`, candidate: null });
  });

  test('a path that no worktree could hold', async () => {
    let entries: TreeEntry[] = [file];
    for (let level = 0; level < 20; level += 1) entries = [{ mode: '', name: 'd'.repeat(200), entries }];
    const { refused } = await vet(workspace.git, fetched.gitDir, await makeTree(workspace, fetched.gitDir, []), await makeTree(workspace, fetched.gitDir, entries));
    expect(refused).toMatchObject([{ code: 'PATCH_PATH_FORBIDDEN', rule: 'a path of more than 3500 bytes' }]);
  });

  test('names that the base has in two cases already are its own business, a third one is not', async () => {
    const folder = (name: string, ...files: string[]): TreeEntry => ({ mode: '', name, entries: files.map((file) => ({ mode: '100644', name: file })) });
    const both = [folder('Dir', 'one'), folder('dir', 'two')];
    const more = [folder('Dir', 'new-1', 'one'), folder('dir', 'new-2', 'two')];
    const base = await makeTree(workspace, fetched.gitDir, both);
    const refusedIn = async (entries: TreeEntry[]): Promise<string[]> =>
      (await vet(workspace.git, fetched.gitDir, base, await makeTree(workspace, fetched.gitDir, entries))).refused.map(({ path }) => path);
    expect(await refusedIn(more)).toEqual([]);
    expect(await refusedIn([...both, folder('DIR', 'three')])).toEqual(['DIR/three']);
  });
});
