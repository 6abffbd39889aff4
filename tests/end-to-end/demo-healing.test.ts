/** `npm run demo:healing` as a user runs it: three real breaks, each found, healed and proved, and nothing left behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { spawnLauncher, stopLaunched, type Launched } from '../support/launched.ts';
import { temporaryFolder } from '../support/repository.ts';

const home = temporaryFolder();
let launched: Launched;
afterAll(() => stopLaunched(launched), 30_000);

test('a stuck writer, a missing package and a leak are healed one after another, and Ctrl-C ends everything', async () => {
  launched = spawnLauncher(home, ['--demo-healing']);
  const output = (): string => launched.output.join('\n');
  await new Promise<void>((resolve, reject) => {
    launched.child.on('line', (line: string) => { if (line.includes('Press Ctrl-C')) resolve(); });
    void launched.ended.then((code) => reject(new Error(`it ended with ${code}:\n${output()}`)));
  });
  for (const symptom of ['database_locked', 'import_error', 'memory_leak']) {
    expect(output()).toMatch(new RegExp(`found +[\\d.]+ s {2}${symptom}: `));
    expect(output()).toMatch(new RegExp(`passed +[\\d.]+ s {2}plan: ${symptom}: `));
  }
  expect(output().match(/passed +[\d.]+ s {2}observe: PASSED: every metric held/g)).toHaveLength(3);
  expect(output()).toMatch(/after +an order was written; there are 2/);
  expect(output()).toMatch(/after +it says "Hello, world"/);
  expect(output()).toMatch(/after +web1 answers as pid \d+ and keeps nothing/);
  launched.child.kill('SIGINT');
  expect(await launched.ended).toBe(0);
  expect(processesNaming(home)).toEqual([]);
}, 180_000);

const processesNaming = (text: string): string[] => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).map((pid) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}).filter((line) => line.includes(text));
