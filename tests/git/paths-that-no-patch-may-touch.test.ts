import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isDotGit, leavesTree } from '../../src/git/vetting.ts';

describe('what some file system takes for .git', () => {
  test.each([
    '.git', '.git/config', 'sub/.git/hooks/pre-commit', '.GIT', '.Git/config', 'a/.gIt', '.git.', '.git...', '.git ', '.git . .', '.git /x',
    'git~1', 'GIT~1', 'sub/git~1/hooks', 'git~2', '.git::$INDEX_ALLOCATION', '.git::$INDEX_ALLOCATION/config', '.git:stream', '.GIT.::$DATA',
    'a\\.git\\config', '.g\u200cit', '\u200d.git', '.git\u200e', '.g\u202ei\u2060t', '\ufeff.git', '.\u206fgit/config',
  ])('%j', (path) => expect(isDotGit(path)).toBe(true));

  test.each([
    '.gitignore', '.gitattributes', '.github/workflows/ci.yml', 'git', 'git~', 'git~a', 'x.git', 'x.git/config', '.git-blame-ignore-revs',
    '.gitx', 'digit~1', 'a.git.b', '..git', 'src/git/git.ts', 'a:b', '',
  ])('and what none does: %j', (path) => expect(isDotGit(path)).toBe(false));
});

describe('where a symlink leads', () => {
  test.each([
    ['link', '/etc/passwd'], ['link', '/'], ['link', '..'], ['link', '../x'], ['a/link', '../../x'], ['a/b/link', '../../../a'], ['link', './../x'],
    ['link', './/../x'], ['link', 'x\0y'], ['link', '.git'], ['a/link', '../.git/config'], ['link', '.GIT/hooks'], ['a/b/link', '../../git~1'],
    // Through another symlink: `dir` may lead up, and `..` goes on from there.
    ['link', 'dir/../x'], ['link', 'dir/../../x'], ['a/link', '../dir/..'],
  ])('%j to %j leaves the tree', (path, target) => expect(leavesTree(path, target)).toBe(true));

  test.each([
    ['link', 'file'], ['link', './dir/file'], ['a/link', '..'], ['a/link', '../b/file'], ['a/b/link', '../../c'], ['node_modules/.bin/tool', '../tool/cli.js'],
    ['link', '.'], ['link', 'missing'], ['link', '...'], ['link', '..x'], ['link', '.github/x'], ['link', 'a//b'],
  ])('%j to %j stays inside', (path, target) => expect(leavesTree(path, target)).toBe(false));

  test('one more step up than the link lies deep always leaves, one step less never does', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/);
    fc.assert(fc.property(fc.array(name, { maxLength: 6 }), fc.array(name, { maxLength: 4 }), (folders, down) => {
      const link = [...folders, 'link'].join('/');
      const up = (steps: number): string => [...Array.from({ length: steps }, () => '..'), ...down, '.'].join('/');
      expect(leavesTree(link, up(folders.length + 1))).toBe(true);
      expect(leavesTree(link, up(folders.length))).toBe(false);
    }));
  });
});
