/** A command that hangs, forks, ignores, closes and lies (fault F15): the same end at every level of the sandbox. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { SandboxLevel } from '../../src/domain/sandbox.ts';
import { projectRoot } from '../../src/project.ts';
import { firstLine, pidsWith, running, whenGone } from '../support/processes.ts';
import { limitedLevels, openLair, shutInLevels } from '../support/sandbox.ts';

const lair = await openLair();
afterAll(() => lair.close());
let n = 0;
/** All at once, for most of them wait for a time limit; afterwards nothing runs that carries the test's marker. */
function at(level: SandboxLevel, name: string, body: (more: { marker: string }) => Promise<void>): void {
  const missing = lair.missing(level);
  const marker = `promises-${process.pid}-${n += 1}`;
  (missing === '' ? test.concurrent : test.skip)(missing === '' ? `${level}: ${name}` : `${level}: ${name} (not here: ${missing})`, async () => {
    await body({ marker });
    expect(running(marker)).toEqual([]);
  });
}

for (const level of limitedLevels) {
  describe(level, () => {
    at(level, 'how a command ended is told as it was', async (more) => {
      for (const code of [0, 1, 7, 255]) expect(await lair.shell(level, `exit ${code}`, more)).toMatchObject({ exit_code: code, signal: null, timed_out: false, limit: null });
      for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGTERM']) expect(await lair.shell(level, `kill -${signal.slice(3)} $$`, more)).toMatchObject({ exit_code: null, signal, timed_out: false });
    });

    at(level, 'a program that is not there is TOOL_MISSING, and it is named', async (more) => {
      for (const program of ['no-such-program', join(lair.worktree, 'nothing'), join(lair.worktree, '.git')]) {
        await expect(lair.run(level, [program], more), program).rejects.toMatchObject({ type: 'TOOL_MISSING', nonRetryable: true, message: expect.stringContaining(program) as string });
      }
    });

    at(level, 'one that hangs is asked to end, and may; with its children', async (more) => {
      const script = "process.on('SIGTERM', () => { console.log('cleaned up'); process.exit(9); }); setInterval(() => {}, 1000); console.log('up')";
      expect(await lair.node(level, script, { ...more, timeout_seconds: 15 })).toMatchObject({ exit_code: 9, signal: null, timed_out: true, stdout: 'up\ncleaned up\n' });
    });

    at(level, 'one that ignores SIGTERM, and all its children, is killed after the grace time', async (more) => {
      const run = await lair.shell(level, 'trap "" TERM; sleep 1000 & while :; do wait; done', { ...more, timeout_seconds: 15 });
      expect(run).toMatchObject({ exit_code: null, signal: 'SIGKILL', timed_out: true });
      expect(run.duration_ms).toBeGreaterThan(2_000);
    });

    at(level, 'one that forks a daemon and closes its output: its end counts, the daemon is gone', async (more) => {
      const run = await lair.shell(level, 'echo before; sleep 1000 & nohup sleep 1000 >/dev/null 2>&1 & exec 1>&- 2>&-; exit 3', more);
      expect(run).toMatchObject({ exit_code: 3, stdout: 'before\n' });
    });

    at(level, 'cancelled, nothing of it is left', async (more) => {
      const abort = new AbortController();
      const pidFile = join(lair.worktree, `pid-${level}`);
      const run = lair.shell(level, `trap "" TERM; sleep 1000 & echo up > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; while :; do wait; done`, { ...more, signal: abort.signal });
      const refused = expect(run).rejects.toMatchObject({ message: 'the mission was aborted' });
      await firstLine(pidFile);
      abort.abort(new Error('the mission was aborted'));
      await refused;
    });

    at(level, 'a worker killed with SIGKILL leaves nothing of it, and no control group', async (more) => {
      const pidFile = join(lair.worktree, `up-${level}`);
      const file = join(lair.home, `worker-${level}.mjs`);
      const built = pathToFileURL(join(projectRoot, 'dist', 'activities', 'process', 'runner.js')).href;
      const stripped = `STRIPPED=${level}-${process.pid}`;
      const escape = level === 'prlimit' ? '' : `(setsid env -i ${stripped} sleep 1000 >/dev/null 2>&1 </dev/null &);`;
      const request = lair.request(level, ['sh', '-c', `trap "" TERM; ${escape} sleep 1000 & echo up > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; while :; do wait; done`], more);
      writeFileSync(file, [
        `import { createProcessRunner } from ${JSON.stringify(built)};`,
        `await createProcessRunner(${JSON.stringify(join(lair.home, 'scratch'))}).run(${JSON.stringify(request)});`,
      ].join('\n'));
      const worker = spawn(process.execPath, [file], { stdio: 'ignore' });
      await firstLine(pidFile);
      const all = running(more.marker);
      expect(all.length).toBeGreaterThan(1);
      worker.kill('SIGKILL');
      await Promise.all([...all, ...pidsWith(stripped)].map(whenGone));
      expect(pidsWith(stripped)).toEqual([]);
      expect(leftGroups(all)).toEqual([]);
    });
  });
}

for (const level of shutInLevels) {
  at(level, 'a keeper killed with SIGKILL: the sweep ends the namespace, and with it what took our marker off', async (more) => {
    const pidFile = join(lair.worktree, `swept-${level}`);
    const stripped = `STRIPPED=swept-${level}-${process.pid}`;
    const run = lair.shell(level, `(setsid env -i ${stripped} sleep 1000 >/dev/null 2>&1 </dev/null &); echo up > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; sleep 1000`, more);
    const refused = expect(run).rejects.toMatchObject({ type: 'INTERNAL' });
    await firstLine(pidFile);
    const keeper = running(more.marker).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('keeper.js'))!;
    process.kill(keeper, 'SIGKILL');
    await refused;
    await lair.runner.sweep(more.marker);
    await Promise.all(pidsWith(stripped).map(whenGone));
    expect(running(more.marker)).toEqual([]);
    expect(leftGroups([keeper])).toEqual([]);
  });
}

/** Control groups that these keepers made. */
function leftGroups(keepers: readonly number[]): string[] {
  const { groups } = lair.ladder;
  if (groups === null) return [];
  return [groups.memory, groups.pids, groups.cpu].flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : [])).filter((name) => name.startsWith('mission-control-run-') && keepers.some((pid) => name.endsWith(`-${pid}`)));
}
