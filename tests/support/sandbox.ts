/** A data directory with something to steal in it, and commands run in it at each level of the sandbox that this host gives. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'vitest';
import { createProcessRunner, type RunRequest, type RunResult } from '../../src/activities/process/runner.ts';
import type { SandboxLevel, SandboxPolicy } from '../../src/domain/sandbox.ts';
import { findInPackage } from './debian-package.ts';
import { temporaryFolder } from './repository.ts';

export const policyFor = (level: SandboxLevel, more: Partial<SandboxPolicy> = {}): SandboxPolicy =>
  ({ minimum: level, strongest: level, maximum: {}, readable: [], writable: [], ...more });

export const shutInLevels = ['bwrap', 'unshare'] as const;
export const limitedLevels = ['bwrap', 'unshare', 'prlimit'] as const;

export type Lair = Awaited<ReturnType<typeof openLair>>;

export async function openLair() {
  const bubblewrap = await findInPackage('bubblewrap', 'bwrap');
  if ('folder' in bubblewrap) process.env['PATH'] = `${bubblewrap.folder}${delimiter}${process.env['PATH']}`;
  const home = temporaryFolder();
  const worktree = join(home, 'worktrees', 'repo_1', '1');
  const other = join(home, 'worktrees', 'repo_2', '1');
  const mirror = join(home, 'mirrors', 'repo_1.git');
  for (const folder of [worktree, other, mirror, join(home, 'keys'), join(home, 'scratch'), join(home, 'artifacts')]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(worktree, '.git'), `gitdir: ${mirror}/worktrees/1\n`);
  writeFileSync(join(mirror, 'HEAD'), 'ref: refs/heads/main\n');
  const secrets = [join(home, 'keys', 'pepper'), join(home, 'admin.key'), join(home, 'database.url'), join(home, 'artifacts', 'a'), join(other, 'their-code')];
  for (const secret of secrets) writeFileSync(secret, 'secret\n', { mode: 0o600 });

  const runner = createProcessRunner(join(home, 'scratch'));
  const ladder = await runner.ladder();
  let n = 0;
  const lair = {
    home, worktree, other, mirror, secrets, runner, ladder,
    /** Why tests of this level cannot run here; '' when they can. */
    missing(level: SandboxLevel): string {
      const found = ladder.rungs.find((rung) => rung.level === level)!;
      if (found.works) return '';
      return level === 'bwrap' && 'missing' in bubblewrap ? bubblewrap.missing : found.reason!;
    },
    /** A test of a level, skipped with the reason where the host does not give it. */
    at: (level: SandboxLevel, name: string, body: () => Promise<void>): void => {
      const missing = lair.missing(level);
      test.skipIf(missing !== '')(missing === '' ? `${level}: ${name}` : `${level}: ${name} (not here: ${missing})`, body);
    },
    request: (level: SandboxLevel, argv: readonly string[], more: Partial<RunRequest> = {}): RunRequest => ({
      argv, cwd: worktree, marker: `lair-${process.pid}-${n += 1}`, timeout_seconds: 60, network: false, sandbox: policyFor(level), readable: [mirror], ...more,
    }),
    run: (level: SandboxLevel, argv: readonly string[], more: Partial<RunRequest> = {}): Promise<RunResult> => runner.run(lair.request(level, argv, more)),
    shell: (level: SandboxLevel, script: string, more: Partial<RunRequest> = {}): Promise<RunResult> => lair.run(level, ['sh', '-c', script], more),
    node: (level: SandboxLevel, script: string, more: Partial<RunRequest> = {}): Promise<RunResult> => lair.run(level, [process.execPath, '--input-type=module', '-e', script], more),
    close: (): void => rmSync(home, { recursive: true, force: true }),
  };
  return lair;
}
