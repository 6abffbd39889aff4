import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readUsage } from '../../src/activities/agent-usage.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let number = 0;
const report = (content: string | Buffer): string => {
  const file = join(folder, `usage-${number += 1}.json`);
  writeFileSync(file, content);
  return file;
};

test.each([
  ['both', '{"tokens": 12, "cost_micro_usd": 3}', { tokens: 12, cost_micro_usd: 3 }],
  ['one of two', ' {"tokens":0}\n', { tokens: 0, cost_micro_usd: null }],
])('a report of %s is taken', async (_, content, usage) => {
  expect(await readUsage(report(content))).toEqual({ usage, problem: null });
});

test.each<[string, string | Buffer, RegExp]>([
  ['nothing', '', /nothing was written/],
  ['no figure', '{}', /names no figure/],
  ['what takes away', '{"tokens": -5}', /tokens: /],
  ['half a token', '{"tokens": 0.5}', /tokens: /],
  ['a text', '{"tokens": "5"}', /tokens: /],
  ['null', '{"cost_micro_usd": null}', /cost_micro_usd: /],
  ['without end', '{"tokens": 1e300}', /tokens: /],
  ['one good and one bad figure', '{"tokens": 5, "cost_micro_usd": -1}', /cost_micro_usd: /],
  ['a field we do not know', '{"tokens": 1, "budget": 9}', /not usable/],
  ['a list', '[1]', /not usable/],
  ['no JSON', 'tokens: 5', /not JSON/],
  ['bytes', Buffer.from([0xff, 0xfe, 0]), /not JSON/],
  ['5 kB', `{"tokens": 1}${' '.repeat(5_000)}`, /more than 4096 bytes/],
])('%s: unreported, with the reason', async (_, content, problem) => {
  const claim = await readUsage(report(content));
  expect(claim.usage).toEqual({ tokens: null, cost_micro_usd: null });
  expect(claim.problem).toMatch(problem);
});

test('a link, a pipe, a folder and nothing at all are no reports, and nobody waits for them', async () => {
  const link = join(folder, 'link');
  symlinkSync(report('{"tokens": 5}'), link);
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  mkdirSync(join(folder, 'folder'));
  for (const file of [link, pipe, join(folder, 'folder'), join(folder, 'gone')]) {
    const { usage, problem } = await readUsage(file);
    expect(usage, file).toEqual({ tokens: null, cost_micro_usd: null });
    expect(problem, file).toMatch(/MISSION_USAGE/);
  }
});
