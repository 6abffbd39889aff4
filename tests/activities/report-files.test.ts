import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMetricsJson } from '../../src/activities/reports/metrics-json.ts';
import { reportTexts } from '../../src/activities/reports/read.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
const worktree = join(folder, 'worktree');
beforeAll(() => {
  mkdirSync(join(worktree, 'reports', 'deep'), { recursive: true });
  mkdirSync(join(worktree, '.hidden'));
  mkdirSync(join(folder, 'outside'));
  for (const [file, text] of Object.entries({
    'worktree/reports/b.xml': 'b', 'worktree/reports/a.xml': 'a', 'worktree/reports/deep/c.xml': 'c', 'worktree/reports/other.txt': 'other',
    'worktree/.hidden/h.xml': 'h', 'outside/secret.xml': 'secret', 'worktree-secret.xml': 'secret',
  })) writeFileSync(join(folder, file), text);
});
afterAll(() => rmSync(folder, { recursive: true }));
const read = (path: string): Promise<string[]> => reportTexts({ format: 'junit', path }, worktree, 'stdout');

test('files that match are read in the order of their names, hidden ones too', async () => {
  expect(await read('reports/*.xml')).toEqual(['a', 'b']);
  expect(await read('**/*.xml')).toEqual(['h', 'a', 'b', 'c']);
  expect(await read('reports/none-*.xml')).toEqual([]);
});

test('standard output stands for a report that has no path', async () => {
  expect(await reportTexts({ format: 'junit', from: 'stdout' }, worktree, 'said')).toEqual(['said']);
  expect(await reportTexts({ format: 'junit', from: 'stdout', path: 'reports/*.xml' }, worktree, 'said')).toEqual(['said']);
});

describe('nothing outside of the worktree is read', () => {
  test('by a symlink to a file, to a folder, or through two of them', async () => {
    symlinkSync(join(folder, 'outside', 'secret.xml'), join(worktree, 'reports', 'absolute.xml'));
    symlinkSync('../../outside/secret.xml', join(worktree, 'reports', 'relative.xml'));
    symlinkSync('../../outside', join(worktree, 'reports', 'folder'));
    symlinkSync('folder/secret.xml', join(worktree, 'reports', 'chain.xml'));
    for (const path of ['reports/*.xml', 'reports/**/*.xml', 'reports/folder/*.xml', 'reports/folder/secret.xml', 'reports/absolute.xml', '**/*']) {
      expect((await read(path)).join(), path).not.toContain('secret');
    }
    expect(await read('reports/*.xml')).toEqual(['a', 'b']);
  });

  test.each(['../outside/*.xml', '../**/*.xml', 'reports/../../outside/secret.xml', '../worktree-secret.xml', '/etc/passwd'])('by the glob %s', async (path) => {
    expect((await read(path)).filter((text) => !['a', 'b', 'c', 'h'].includes(text))).toEqual([]);
  });

  test('by an absolute glob', async () => {
    expect(await read(join(folder, 'outside', '*.xml'))).toEqual([]);
  });
});

test('a pipe, a folder and a symlink to itself are no reports and hold nobody up', async () => {
  mkdirSync(join(worktree, 'odd', 'folder.xml'), { recursive: true });
  execFileSync('mkfifo', [join(worktree, 'odd', 'pipe.xml')]);
  symlinkSync('pipe.xml', join(worktree, 'odd', 'to-pipe.xml'));
  symlinkSync('loop.xml', join(worktree, 'odd', 'loop.xml'));
  symlinkSync('gone', join(worktree, 'odd', 'dangling.xml'));
  writeFileSync(join(worktree, 'odd', 'real.xml'), 'real');
  expect(await read('odd/*.xml')).toEqual(['real']);
});

test('a report of a gigabyte is not loaded', async () => {
  mkdirSync(join(worktree, 'large'));
  writeFileSync(join(worktree, 'large', 'x.xml'), '');
  truncateSync(join(worktree, 'large', 'x.xml'), 2 ** 30);
  expect(await read('large/*.xml')).toEqual(['']);
});

describe('figures', () => {
  test.each<[string, string, Record<string, number> | null]>([
    ['one object', '{"metrics": {"latency_p95_ms": 12.5, "rps": 100}}', { latency_p95_ms: 12.5, rps: 100 }],
    ['over several lines', '{\n  "metrics": {\n    "a": 1\n  }\n}\n', { a: 1 }],
    ['the last of several lines', 'warming up\n{"metrics": {"a": 1}}\n{"metrics": {"a": 2}}\ndone\n', { a: 2 }],
    ['other JSON around it', '{"level":"info"}\n{"metrics":{"a":0}}\nnull\n[1]\n', { a: 0 }],
    ['no figures at all', '{"metrics": {}}', {}],
    ['things that are no figures', '{"metrics": {"a": "1", "b": null, "c": true, "d": [1], "e": {"f": 1}, "g": 1e999, "h": -1.5}}', { h: -1.5 }],
    ['nothing', '', null], ['no object', 'a: 1\n', null], ['NaN, which is no JSON', '{"metrics": {"a": NaN}}', null],
    ['metrics of another kind', '{"metrics": "fast"}\n{"metrics": null}\n{"metric": {"a": 1}}', null], ['half of it', '{"metrics": {"a": 1}', null],
  ])('%s', (_, text, figures) => expect(parseMetricsJson(text)).toEqual(figures));
});
