import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listed, namesOf, playbookText, testText } from '../../src/cli/missionctl/playbook-skeleton.ts';
import { projectRoot } from '../../src/project.ts';
import type { Playbook } from '../../src/workflows/playbooks/playbook.ts';
import { openPlaybookBench, type Planned, type PlaybookBench } from '../support/playbook-bench.ts';

let bench: PlaybookBench;
let playbook: Playbook;
const names = namesOf('stale-cache-file');

beforeAll(async () => {
  bench = await openPlaybookBench({
    web: { kind: 'service', manager: { kind: 'process', instances: [{ id: 'web1', pid_file: '/nowhere/web1.pid', argv: ['true'], cwd: '/' }] } },
  });
  const file = join(bench.home, 'skeleton.ts');
  writeFileSync(file, playbookText(names).replace("'./playbook.ts'", `'${join(projectRoot, 'src', 'workflows', 'playbooks', 'playbook.ts')}'`));
  playbook = (await import(/* @vite-ignore */ file) as Record<string, Playbook>)[names.exported]!;
});
afterAll(() => bench.close());

test('names of a playbook in its three spellings', () => {
  expect(names).toEqual({ file: 'stale-cache-file', id: 'stale_cache_file', exported: 'staleCacheFile' });
});

test('what the skeleton writes heals as it is', async () => {
  const file = join(bench.home, 'broken');
  writeFileSync(file, '');
  const context = await bench.context(playbook, 'web', names.id, { file });
  const plan = await bench.plan(playbook, context) as Planned;
  await bench.execute(playbook, context, plan);
  const checks = await bench.verify(playbook, context, plan.facts);
  expect(Object.values(checks).every((check) => check.ok), JSON.stringify(checks)).toBe(true);
  expect(existsSync(file)).toBe(false);
});

test('and refuses as it is', async () => {
  const file = join(bench.home, 'folder');
  mkdirSync(file);
  expect(await bench.plan(playbook, await bench.context(playbook, 'web', names.id, { file }))).toMatchObject({ decline: 'refused', code: 'NOT_A_FILE' });
});

test('it is listed once, after the others, and its test names what it exports', () => {
  const index = "import type { Playbook } from './playbook.ts';\nimport { a } from './a.ts';\n\nconst all: readonly Playbook[] = [\n  a,\n];\n";
  expect(listed(index, names)).toBe("import type { Playbook } from './playbook.ts';\nimport { a } from './a.ts';\nimport { staleCacheFile } from './stale-cache-file.ts';\n\nconst all: readonly Playbook[] = [\n  a,\n  staleCacheFile,\n];\n");
  expect(testText(names)).toContain("import { staleCacheFile } from '../../src/workflows/playbooks/stale-cache-file.ts';");
});
