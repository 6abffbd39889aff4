import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBranchName } from '../../src/domain/branch.ts';

/** Whether git itself takes the text as the name of a branch. NUL cannot be an argument, so git never gets to see it. */
const gitTakes = (name: string): boolean =>
  !name.includes('\0') && spawnSync('git', ['check-ref-format', '--branch', name], { cwd: tmpdir() }).status === 0;

/** What git would take and we do not: other names of what is checked out, and more than a file name holds. */
const refusedByUs = (name: string): boolean =>
  name.startsWith('refs/') || name === 'HEAD' || name === '@' || Buffer.byteLength(name) > 200 || /\p{Surrogate}/u.test(name);

const pieces = ['a', 'main', '.', '..', '/', '//', '-', '@', '@{', '@{-1}', '{', '}', '.lock', 'lock', 'HEAD', 'refs/', 'heads/', '~', '^', ':', '?', '*', '[',
  '\\', ' ', '\t', '\n', '\u007f', '\u0080', '\u00a0', 'é', '名', '🌿', '\ud83c', "'", '"', '$', ';', '|', '#', '%', '+', '=', ',', '!'];
const nameArb = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 12 }),
);

test('a branch name is what git check-ref-format --branch takes', () => {
  fc.assert(fc.property(nameArb, (name) => {
    expect(isBranchName(name), JSON.stringify(name)).toBe(gitTakes(name) && !refusedByUs(name));
  }), { numRuns: 400 });
});

test.each(['main', 'feature/x', 'mission-control/mission_20250110_001', 'release-1.0', 'a@b', 'fix{1}', 'a.lock.b', 'über', '@a'])(
  '%j is a branch', (name) => {
    expect(gitTakes(name)).toBe(true);
    expect(isBranchName(name)).toBe(true);
  });

test.each(['', '@', '-D', '--upload-pack=touch /tmp/x', 'HEAD', 'refs/heads/main', '/a', 'a/', 'a//b', '.a', 'a/.b', 'a..b', 'a.lock', 'a.lock/b', 'a.',
  'a b', 'a~1', 'a^', 'a:b', 'a?', 'a*', 'a[b', 'a\\b', '@{-1}', 'a@{1}', 'a\nb', 'a\0b', 'a\u007fb', '\ud83c', 'a'.repeat(201), '名'.repeat(70)])(
  '%j is not a branch', (name) => expect(isBranchName(name)).toBe(false));

test.each(['a'.repeat(200), '名'.repeat(66), '🌿'.repeat(50)])('the longest names can really be made', (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'mission-control-test-'));
  const git = (...args: string[]): string => execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { encoding: 'utf8' });
  try {
    git('init', '-q');
    git('commit', '-q', '--allow-empty', '-m', 'first');
    git('branch', name);
    expect(isBranchName(name)).toBe(true);
    expect(git('rev-parse', name)).toBe(git('rev-parse', 'HEAD'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
