/** Which level a command gets, what happens when a host gives too little, and that nobody needs to be root for it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { policySchema } from '../../src/domain/schema/policy.ts';
import { notPromised, reaches, sandboxLevels } from '../../src/domain/sandbox.ts';
import { createProcessRunner } from '../../src/activities/process/runner.ts';
import { bestOf, missingIn, type Ladder } from '../../src/activities/process/ladder.ts';
import { projectRoot } from '../../src/project.ts';
import { readPolicy } from '../../src/store/policy.ts';
import { temporaryFolder } from '../support/repository.ts';
import { openLair, policyFor, shutInLevels } from '../support/sandbox.ts';

const lair = await openLair();
const made: string[] = [];
afterAll(() => {
  lair.close();
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});
const folderFor = (): string => {
  const folder = temporaryFolder();
  made.push(folder);
  return folder;
};

/** A ladder as a host with this PATH has it. */
async function ladderWith(path: string): Promise<{ ladder: Ladder; run: (minimum: 'bwrap' | 'unshare' | 'prlimit' | 'plain') => Promise<unknown> }> {
  const kept = process.env['PATH'];
  process.env['PATH'] = path;
  try {
    const runner = createProcessRunner(join(folderFor(), 'scratch'));
    const ladder = await runner.ladder();
    return { ladder, run: (minimum) => runner.run({ ...lair.request('plain', ['true']), sandbox: policyFor('plain', { minimum, strongest: 'bwrap' }) }) };
  } finally {
    process.env['PATH'] = kept;
  }
}
const withoutBwrap = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('bubblewrap')).join(delimiter);
/** In front of the PATH: programs that are there and do not work, as in a container without user namespaces. */
function broken(...names: string[]): string {
  const folder = folderFor();
  for (const name of names) writeFileSync(join(folder, name), `#!/bin/sh\necho "${name}: Operation not permitted" >&2\nexit 1\n`, { mode: 0o755 });
  return `${folder}${delimiter}${process.env['PATH']}`;
}

describe('the ladder', () => {
  test.skipIf(lair.missing('bwrap') !== '')('the strongest level that works is used', () => {
    expect(lair.ladder.rungs.map((rung) => [rung.level, rung.works])).toEqual(sandboxLevels.map((level) => [level, true]));
    expect(bestOf(lair.ladder, { strongest: 'bwrap' })).toBe('bwrap');
    expect(bestOf(lair.ladder, { strongest: 'prlimit' })).toBe('prlimit');
  });

  test('bubblewrap that is not installed is named, and the next level is used', async () => {
    const { ladder } = await ladderWith(withoutBwrap);
    if (ladder.rungs[0]!.works) return;
    expect(missingIn(ladder)).toContain('bwrap: bwrap not on PATH');
    expect(bestOf(ladder, { strongest: 'bwrap' })).toBe(lair.missing('unshare') === '' ? 'unshare' : 'prlimit');
  });

  test('programs that are there and may not do it (no user namespaces, AppArmor, a container) are found out by trying', async () => {
    const { ladder, run } = await ladderWith(broken('bwrap', 'unshare'));
    expect(bestOf(ladder, { strongest: 'bwrap' })).toBe('prlimit');
    expect(missingIn(ladder)).toMatch(/bwrap: .*could not be made.*; unshare: .*could not be made/s);
    await expect(run('unshare')).rejects.toMatchObject({ type: 'SANDBOX_UNAVAILABLE', nonRetryable: true, message: expect.stringMatching(/level unshare or stronger.*gives prlimit.*sandbox\.minimum/s) as string });
    await expect(run('prlimit')).resolves.toMatchObject({ exit_code: 0, sandbox: { level: 'prlimit' } });
  });

  test('with nothing at all it is plain, which is said, and what plain does not promise too', async () => {
    const { ladder, run } = await ladderWith(broken('bwrap', 'unshare', 'prlimit'));
    expect(bestOf(ladder, { strongest: 'bwrap' })).toBe('plain');
    await expect(run('prlimit')).rejects.toMatchObject({ type: 'SANDBOX_UNAVAILABLE' });
    await expect(run('plain')).resolves.toMatchObject({ exit_code: 0, sandbox: { level: 'plain', not_promised: expect.arrayContaining(['file size and open files are not limited']) as string[] } });
  });

  test('a level that breaks after it was tried ends the run as what it is, not as the command\'s failure', async () => {
    const level = shutInLevels.find((one) => lair.missing(one) === '');
    if (level === undefined) return;
    await expect(lair.run(level, ['true'], { writable: [join(lair.home, 'not-there', 'at-all')] }))
      .rejects.toMatchObject({ type: 'SANDBOX_UNAVAILABLE', message: expect.stringMatching(/could not be made: .*not-there/s) as string });
  });

  test('every level reaches itself and the weaker ones, and promises no more than the stronger ones', () => {
    for (const [i, level] of sandboxLevels.entries()) {
      for (const [k, wanted] of sandboxLevels.entries()) expect(reaches(level, wanted)).toBe(i <= k);
    }
    const counts = sandboxLevels.map((level) => notPromised(level, { network: false, groups: true, processes: true }).length);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts[0]).toBe(0);
  });
});

describe('the policy', () => {
  test('as shipped any host will do, and it says so', async () => {
    expect((await readPolicy(join(projectRoot, 'config'))).sandbox).toEqual({ minimum: 'plain', strongest: 'bwrap', maximum: {}, readable: [], writable: [] });
  });

  test('a minimum above what may be used, an unknown level, a limit of nothing and a relative path are refused', async () => {
    const policy = await readPolicy(join(projectRoot, 'config'));
    const accepts = (sandbox: object): boolean => policySchema.safeParse({ ...policy, sandbox }).success;
    expect(accepts({ minimum: 'unshare' })).toBe(true);
    expect([{ minimum: 'bwrap', strongest: 'unshare' }, { minimum: 'docker' }, { maximum: { memory_mib: 0 } }, { maximum: { memory: 1 } }, { readable: ['cache'] }, { none: 1 }].filter(accepts)).toEqual([]);
  });
});

/** Namespaces are for everybody where the kernel lets them be; root becomes somebody else for these. */
const somebody = process.getuid?.() === 0 ? { uid: 61_234, gid: 61_234 } : {};
const canRead = spawnSync('test', ['-r', join(projectRoot, 'dist', 'activities', 'process', 'keeper.js')], somebody).status === 0;
describe.runIf(canRead)('whoever is not root', () => {
  const open = folderFor();
  chmodSync(open, 0o777);
  for (const folder of ['worktree', 'keys']) {
    mkdirSync(join(open, folder));
    chmodSync(join(open, folder), 0o777);
  }
  writeFileSync(join(open, 'keys', 'pepper'), 'secret\n');
  const built = pathToFileURL(join(projectRoot, 'dist', 'activities', 'process', 'runner.js')).href;

  function asSomebody(level: string, script: string, limits: object = {}): { stdout: string; sandbox: { level: string; groups: string; not_promised: string[] }; exit_code: number | null; limit: { limit: string } | null; missing: string } {
    const worker = [
      `import { createProcessRunner } from ${JSON.stringify(built)};`,
      `const runner = createProcessRunner(${JSON.stringify(join(open, 'scratch'))});`,
      `const rung = (await runner.ladder()).rungs.find((one) => one.level === ${JSON.stringify(level)});`,
      `const result = rung.works ? await runner.run(${JSON.stringify({ argv: ['sh', '-c', script], cwd: join(open, 'worktree'), marker: 'somebody', timeout_seconds: 60, network: false, limits, sandbox: policyFor(level as 'bwrap') })}) : { missing: rung.reason };`,
      'console.log(JSON.stringify(result));',
    ].join('\n');
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', worker], { encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'], HOME: join(open, 'home') }, timeout: 100_000, ...somebody });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as ReturnType<typeof asSomebody>;
  }

  test.each(shutInLevels)('%s: is shut in the same way, and stays who he is', (level) => {
    const run = asSomebody(level, `id -u; cat ${open}/keys/pepper; ls -A ${open}; touch /usr/x; kill -0 ${process.pid}; grep -E "CapEff|NoNewPrivs" /proc/self/status; ls /proc | grep -c '^[0-9]'; touch kept && echo written`);
    // What is missing is said, and is no failure of this test: not every kernel lets everybody.
    if (run.missing !== undefined) return expect(run.missing).not.toBe('');
    expect(run.sandbox.level).toBe(level);
    const [uid, ...rest] = run.stdout.trim().split('\n');
    expect(uid).toBe(String(somebody.uid ?? process.getuid!()));
    expect(rest.slice(0, -4)).toEqual(['scratch', 'worktree']);
    expect(rest.at(-4)).toMatch(/^CapEff:\s+0+$/);
    expect(rest.at(-3)).toMatch(/^NoNewPrivs:\s+1$/);
    expect(Number(rest.at(-2))).toBeLessThan(10);
    expect(rest.at(-1)).toBe('written');
  });

  test.each(['bwrap', 'unshare', 'prlimit'])('%s: without a control group each process is limited, and the evidence says that it is only each', (level) => {
    const run = asSomebody(level, 'i=0; while [ $i -lt 120 ]; do sleep 20 & i=$((i+1)); done; wait', { processes: 30 });
    if (run.missing !== undefined) return expect(run.missing).not.toBe('');
    if (run.sandbox.groups !== 'none') return expect(run.limit).toMatchObject({ limit: 'processes' });
    expect(run.exit_code).not.toBe(0);
    expect(run.limit).toMatchObject({ limit: 'processes', evidence: 'suspected' });
    expect(run.sandbox.not_promised).toContain('memory and CPU time are limited for each process alone, not for the run');
  });
});
