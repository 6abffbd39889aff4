import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { codingStages } from '../../src/domain/stages.ts';
import { eventually, spawnLauncher, stopLaunched } from '../support/launched.ts';
import { temporaryFolder } from '../support/repository.ts';

test('npm run demo: an agent\'s second attempt goes through all eleven stages and lands, and it stays up', async () => {
  const system = spawnLauncher(temporaryFolder(), ['--demo']);
  const output = (): string => system.output.join('\n');
  try {
    await eventually(() => output().includes('Press Ctrl-C') || system.child.exitCode !== null);
    for (const stage of codingStages) expect(output()).toMatch(new RegExp(`(passed|skipped) +${stage} .* [1-9]\\d* evidence`));
    expect(output()).toMatch(/failed +run_tests .*required test failed: total multiplies by quantity/);
    expect(output()).toContain('is resolved (landed)');
    expect(output()).toContain('(the same)');
    expect(output()).toContain('approver agrees to tree');

    const [name] = readdirSync(join(system.home, 'repositories'));
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', join(system.home, 'repositories', name!), ...args], { encoding: 'utf8' }).trim();
    const landed = /landed commit (\w{40})/.exec(output())![1];
    expect(git('rev-parse', 'main')).toBe(landed);
    expect(git('log', '-1', '--format=%P', 'main').split(' ')).toHaveLength(2);
    expect(git('rev-parse', 'main^{tree}')).toBe(/tested tree +(\w{40})/.exec(output())![1]);
    expect((await fetch(`${system.run().api_url}/`)).status).toBe(200);
    expect((await fetch(system.run().temporal_ui_url!)).status).toBe(200);
  } finally {
    await stopLaunched(system);
  }
}, 120_000);
