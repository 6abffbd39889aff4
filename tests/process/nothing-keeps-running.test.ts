import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProcessRunner, type RunRequest } from '../../src/activities/process/runner.ts';
import { projectRoot } from '../../src/project.ts';
import { firstLine, isAlive, running, whenGone } from '../support/processes.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
const runner = createProcessRunner(join(folder, 'scratch'));
let n = 0;
let marker: string;
let pidFile: string;
beforeEach(() => {
  n += 1;
  marker = `nothing-keeps-running-${process.pid}-${n}`;
  pidFile = join(folder, `pid-${n}`);
});
afterEach(() => expect(running(marker)).toEqual([]));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request = (more: Partial<RunRequest> & Pick<RunRequest, 'argv'>): RunRequest =>
  ({ cwd: folder, marker, timeout_seconds: 60, network: false, ...more });
const shell = (script: string, more: Partial<RunRequest> = {}): RunRequest => request({ argv: ['sh', '-c', script], ...more });
/** A child of the command's that would outlive it; its pid stands in the pid file once it runs. */
const child = (): string => `sleep 1000 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}`;
const node = (script: string, ...args: string[]): string[] => [process.execPath, '-e', script, ...args];

describe('how a command ended', () => {
  test.each([0, 1, 7, 255])('exit code %i', async (code) => {
    expect(await runner.run(shell(`exit ${code}`))).toMatchObject({ exit_code: code, signal: null, timed_out: false, truncated: false });
  });

  test.each(['SIGKILL', 'SIGSEGV', 'SIGTERM'] as const)('%s', async (signal) => {
    expect(await runner.run(shell(`kill -${signal.slice(3)} $$`))).toMatchObject({ exit_code: null, signal, timed_out: false });
  });

  test('a program that is not there, is no program, or lies below a file: TOOL_MISSING, and it is named', async () => {
    for (const program of ['no-such-program', join(folder, 'nothing'), join(projectRoot, 'package.json'), join(projectRoot, 'package.json', 'x')]) {
      await expect(runner.run(request({ argv: [program] })), program)
        .rejects.toMatchObject({ type: 'TOOL_MISSING', nonRetryable: true, message: expect.stringContaining(program) });
    }
  });

  test('a command that closes its output goes on, and its exit code counts', async () => {
    const done = join(folder, `done-${n}`);
    const run = await runner.run(shell(`echo before; exec 1>&- 2>&-; sleep 0.2; echo late > ${done}; exit 3`));
    expect(run).toMatchObject({ exit_code: 3, stdout: 'before\n' });
    expect(await firstLine(done)).toBe('late');
  });
});

describe('the time limit', () => {
  test('ends the whole group, not only the command', async () => {
    const run = runner.run(shell(`${child()}; wait`, { timeout_seconds: 1 }));
    const pid = Number(await firstLine(pidFile));
    expect(isAlive(pid)).toBe(true);
    expect(await run).toMatchObject({ exit_code: null, signal: 'SIGTERM', timed_out: true });
    expect(isAlive(pid)).toBe(false);
  });

  test('gives a command that handles SIGTERM the time to end by itself', async () => {
    const run = await runner.run(request({ timeout_seconds: 3, argv: node('process.on("SIGTERM", () => { console.log("cleaned up"); process.exit(9); }); setInterval(() => {}, 1000); console.log("up")') }));
    expect(run).toMatchObject({ exit_code: 9, signal: null, timed_out: true, stdout: 'up\ncleaned up\n' });
  });

  test('a command that ignores SIGTERM is killed after the grace time', async () => {
    const run = await runner.run(shell(`trap "" TERM; ${child()}; while :; do wait; done`, { timeout_seconds: 1 }));
    expect(run).toMatchObject({ exit_code: null, signal: 'SIGKILL', timed_out: true });
    expect(run.duration_ms).toBeGreaterThan(2_000);
    expect(isAlive(Number(await firstLine(pidFile)))).toBe(false);
  });
});

describe('cancellation', () => {
  test.each(['', 'trap "" TERM; '])('leaves no process (%s)', async (prelude) => {
    const abort = new AbortController();
    const run = runner.run(shell(`${prelude}${child()}; while :; do wait; done`, { signal: abort.signal }));
    const refused = expect(run).rejects.toMatchObject({ message: 'the mission was aborted' });
    const pid = Number(await firstLine(pidFile));
    expect(running(marker).length).toBeGreaterThan(1);
    abort.abort(new Error('the mission was aborted'));
    await refused;
    expect(isAlive(pid)).toBe(false);
  });

  test('before the start starts nothing', async () => {
    await expect(runner.run(shell(child(), { signal: AbortSignal.abort(new Error('too late')) }))).rejects.toThrow('too late');
    await expect(runner.run(shell(`test ! -e ${pidFile}`))).resolves.toMatchObject({ exit_code: 0 });
  });
});

test('what a command leaves in the background dies with it', async () => {
  const run = await runner.run(shell(`${child()}; nohup sleep 1000 >/dev/null 2>&1 & exit 4`));
  expect(run).toMatchObject({ exit_code: 4, timed_out: false });
  expect(run.duration_ms).toBeLessThan(30_000);
  expect(isAlive(Number(await firstLine(pidFile)))).toBe(false);
});

describe('a worker killed with SIGKILL', () => {
  /** A process of its own that runs a command with the built runner, as a worker does. */
  function startWorker(script: string) {
    const file = join(folder, `worker-${n}.mjs`);
    const built = pathToFileURL(join(projectRoot, 'dist', 'activities', 'process', 'runner.js')).href;
    writeFileSync(file, [
      `import { createProcessRunner } from ${JSON.stringify(built)};`,
      `await createProcessRunner(${JSON.stringify(join(folder, 'scratch'))}).run(${JSON.stringify(shell(script))});`,
    ].join('\n'));
    return spawn(process.execPath, [file], { stdio: 'ignore' });
  }

  test.each([['a command and its children', ''], ['a command that ignores SIGTERM', 'trap "" TERM; ']])('leaves nothing of %s', async (_, prelude) => {
    const worker = startWorker(`${prelude}${child()}; while :; do wait; done`);
    const pid = Number(await firstLine(pidFile));
    const all = running(marker);
    expect(all).toContain(pid);
    worker.kill('SIGKILL');
    await Promise.all(all.map(whenGone));
    expect(isAlive(pid)).toBe(false);
  });
});

describe('the sweep', () => {
  /** Leaves the command's group and session, forks twice, and closes all that it shares with us. */
  const daemon = (): string => `setsid sh -c 'exec >/dev/null 2>&1 </dev/null; sleep 1000 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait' & `
    + `while [ ! -e ${pidFile} ]; do sleep 0.02; done`;

  test('finds a daemon that escaped its group, kills it, and only what carries its own marker', async () => {
    const other = `${marker}-other`;
    const bystander = runner.run(request({ argv: ['sleep', '1000'], marker: other }));
    bystander.catch(() => undefined);
    expect(await runner.run(shell(daemon()))).toMatchObject({ exit_code: 0 });
    const pid = Number(await firstLine(pidFile));
    expect(isAlive(pid)).toBe(true);
    expect(await runner.sweep(marker)).toBeGreaterThanOrEqual(2);
    expect(isAlive(pid)).toBe(false);
    expect(running(other).length).toBeGreaterThan(0);
    expect(await runner.sweep(other)).toBeGreaterThan(0);
    await expect(bystander).rejects.toMatchObject({ type: 'INTERNAL' });
  });

  test('of a marker that nothing carries kills nothing', async () => {
    expect(await runner.sweep(`${marker}-nobody`)).toBe(0);
    expect(await runner.sweep(marker.slice(0, -1))).toBe(0);
  });

  test('a daemon that keeps our pipe open does not keep the run', async () => {
    const run = await runner.run(shell(`echo said; setsid sh -c 'echo $$ > ${pidFile}; exec sleep 1000' & while [ ! -e ${pidFile} ]; do sleep 0.02; done`));
    expect(run).toMatchObject({ exit_code: 0, stdout: 'said\n' });
    expect(isAlive(Number(await firstLine(pidFile)))).toBe(true);
    await runner.sweep(marker);
  });
});

test('two systems on one host sweep only their own, though their missions are called the same', async () => {
  const [ours, theirs] = [createProcessRunner(temporaryFolder()), createProcessRunner(temporaryFolder())];
  const marker = `same-name-${Math.random().toString(36).slice(2)}`;
  // Its keeper is killed with it.
  const run = theirs.run({ argv: ['sleep', '60'], cwd: '/', marker, timeout_seconds: 60, network: false }).catch(() => undefined);
  while (running(marker).length === 0) await new Promise((resolve) => { setTimeout(resolve, 20); });
  expect(await ours.sweep(marker)).toBe(0);
  expect(running(marker)).not.toEqual([]);
  expect(await theirs.sweep(marker)).toBeGreaterThan(0);
  await run;
});
