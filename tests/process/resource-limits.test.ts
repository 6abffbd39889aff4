/**
 * A run that comes up against a limit ends with that limit's name; nobody else notices. Every hog here stops by itself well
 * before it could hurt this host, should the limit not hold.
 */
import { statSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { afterAll, describe, expect, test } from 'vitest';
import { defaultLimits, limitsOf } from '../../src/domain/limits.ts';
import { limitedLevels, openLair, policyFor } from '../support/sandbox.ts';

const lair = await openLair();
const { at } = lair;
afterAll(() => lair.close());
const groups = lair.ladder.groups;
const clean = (): Promise<unknown> => lair.shell('prlimit', 'rm -rf bulk');

for (const level of limitedLevels) {
  describe(level, () => {
    const grouped = (name: string, body: () => Promise<void>): void =>
      (groups === null ? test.skip(`${level}: ${name} (not here: no control group can be made)`) : at(level, name, body));

    grouped('a fork bomb: processes', async () => {
      const run = await lair.shell(level, 'i=0; while [ $i -lt 300 ]; do sleep 30 & i=$((i+1)); done; wait', { limits: { processes: 40 } });
      expect(run.limit).toMatchObject({ limit: 'processes', evidence: 'certain', detail: expect.stringContaining('processes 40') as string });
      expect(run.duration_ms).toBeLessThan(25_000);
    });

    grouped('memory, of all its processes together: memory_mib', async () => {
      // Each child takes 60 of 128 MiB, and touches it.
      const hog = "import { spawn } from 'node:child_process'; for (let i = 0; i < 4; i += 1) spawn(process.execPath, ['-e', 'globalThis.x = Buffer.alloc(60 << 20, 1); setTimeout(() => {}, 20000)']); setTimeout(() => {}, 20000)";
      const run = await lair.node(level, hog, { limits: { memory_mib: 128 } });
      expect(run.limit).toMatchObject({ limit: 'memory_mib', evidence: 'certain', detail: expect.stringContaining('memory_mib 128') as string });
      expect(run.peak_memory_mib).toBeLessThanOrEqual(129);
    });

    grouped('a CPU spin, also of many processes that each take little: cpu_seconds', async () => {
      const run = await lair.shell(level, 'for n in 1 2 3; do (timeout 20 sh -c "while :; do :; done") & done; wait', { limits: { cpu_seconds: 1 } });
      expect(run.limit).toMatchObject({ limit: 'cpu_seconds', evidence: 'certain' });
      expect(run.cpu_seconds).toBeGreaterThan(0.9);
    });

    at(level, 'descriptors: a failing command that printed EMFILE is told which limit it may have been: open_files', async () => {
      const run = await lair.node(level, "import { openSync } from 'node:fs'; for (let i = 0; i < 2000; i += 1) openSync('/dev/null'); console.log('enough');", { limits: { open_files: 100 } });
      expect(run.exit_code).not.toBe(0);
      expect(run.limit).toEqual({ limit: 'open_files', evidence: 'suspected', detail: 'open_files 100: it printed "EMFILE"' });
    });

    at(level, 'one large file: file_mib', async () => {
      const run = await lair.run(level, ['dd', 'if=/dev/zero', 'of=bulk', 'bs=1M', 'count=50'], { limits: { file_mib: 5 } });
      expect(run.limit).toMatchObject({ limit: 'file_mib', evidence: 'certain' });
      expect(statSync(`${lair.worktree}/bulk`).size).toBe(5 << 20);
      await clean();
    });

    at(level, 'a disk filled with small files: disk_mib', async () => {
      const run = await lair.node(level, `
        import { mkdirSync, writeFileSync } from 'node:fs'; mkdirSync('bulk');
        for (let i = 0; i < 60; i += 1) writeFileSync('bulk/' + i, Buffer.alloc(1 << 20, 1)); setTimeout(() => {}, 30000);`, { limits: { disk_mib: 20 } });
      expect(run.limit).toMatchObject({ limit: 'disk_mib', evidence: 'certain', detail: expect.stringContaining('disk_mib 20') as string });
      expect(run.duration_ms).toBeLessThan(25_000);
      await clean();
    });

    at(level, 'a million files, scaled, in HOME: files', async () => {
      const run = await lair.node(level, `
        import { mkdirSync, writeFileSync } from 'node:fs'; const folder = process.env.HOME + '/many'; mkdirSync(folder);
        for (let i = 0; i < 3000; i += 1) writeFileSync(folder + '/' + i, ''); setTimeout(() => {}, 30000);`, { limits: { files: 1_000 } });
      expect(run.limit).toMatchObject({ limit: 'files', evidence: 'certain' });
      expect(run.duration_ms).toBeLessThan(25_000);
    });

    at(level, '10 GB of output, scaled: it is ended, the file is capped, our memory stays as it was: output_mib', async () => {
      let most = 0;
      const before = process.memoryUsage().rss;
      const timer = setInterval(() => { most = Math.max(most, process.memoryUsage().rss); }, 20);
      const run = await lair.shell(level, 'head -c 2000000000 /dev/zero', { limits: { output_mib: 40 } }).finally(() => clearInterval(timer));
      expect(run).toMatchObject({ truncated: true, limit: { limit: 'output_mib', evidence: 'certain' } });
      expect(statSync(run.output_file).size).toBe(10 << 20);
      expect(most - before).toBeLessThan(80 << 20);
    });

    at(level, 'a run within its limits meets none, and the evidence has them all', async () => {
      const run = await lair.shell(level, 'ulimit -n; ulimit -c', { limits: { open_files: 300 } });
      expect(run).toMatchObject({ exit_code: 0, stdout: '300\n0\n', limit: null });
      expect(run.sandbox).toMatchObject({ level, network: false, limits: { ...defaultLimits, open_files: 300 } });
      if (groups !== null) expect(run.sandbox.groups).toBe(groups.version);
    });
  });
}

at('prlimit', 'one process that spins is ended by its own limit too: cpu_seconds', async () => {
  const run = await lair.run('prlimit', ['perl', '-e', 'my $end = time + 20; while (time < $end) {}'], { limits: { cpu_seconds: 1 } });
  expect(run.limit).toMatchObject({ limit: 'cpu_seconds', evidence: 'certain' });
});

test('a run beside one that meets its limit goes on', async () => {
  const started = performance.now();
  const [hog, other] = await Promise.all([
    lair.run('prlimit', ['perl', '-e', 'my @x; for (1..200) { push @x, "x" x 1_000_000 } sleep 1; my $end = time + 20; while (time < $end) {}'], { limits: { cpu_seconds: 1 } }),
    lair.shell('prlimit', 'sleep 1; echo fine'),
  ]);
  expect(hog.limit?.limit).toBe('cpu_seconds');
  expect(other).toMatchObject({ exit_code: 0, stdout: 'fine\n', limit: null });
  expect(performance.now() - started).toBeLessThan(40_000);
});

test('no repository raises a limit above the policy\'s maximum, and a default above it is lowered too', async () => {
  expect(limitsOf({ memory_mib: 9_999, processes: 5 }, { memory_mib: 100, open_files: 50 })).toEqual({ ...defaultLimits, memory_mib: 100, processes: 5, open_files: 50 });
  const run = await lair.runner.run({ ...lair.request('prlimit', ['sh', '-c', 'ulimit -n'], { limits: { open_files: 5_000 } }), sandbox: policyFor('prlimit', { maximum: { open_files: 64 } }) });
  expect(run.stdout).toBe('64\n');
});

test('a tool of ours has no limits but time and output, as before', async () => {
  const { sandbox: _none, ...tool } = lair.request('plain', ['sh', '-c', 'ulimit -c; cat /proc/self/limits | grep "open files"'], { limits: { open_files: 64 } });
  const run = await lair.runner.run(tool);
  expect(run.sandbox).toEqual({ level: 'plain' });
  expect(run.stdout).not.toMatch(/\s64\s/);
});
