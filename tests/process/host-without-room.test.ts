/** EMFILE, ENFILE, EAGAIN where a command is to be started (fault F29): waited for, then said; the worker goes on. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { whenThereIsRoom } from '../../src/activities/process/exhausted.ts';
import { isExhausted } from '../../src/fork-server/start.ts';
import { projectRoot } from '../../src/project.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
chmodSync(folder, 0o777);
mkdirSync(join(folder, 'cwd'), { mode: 0o777 });
const built = pathToFileURL(join(projectRoot, 'dist', 'activities', 'process', 'runner.js')).href;

/** A worker under a limit of its own. @returns the lines that it printed */
function worker(prlimit: string[], script: string, who: { uid?: number; gid?: number } = {}): unknown[] {
  const text = [
    `import { openSync, closeSync, rmSync } from 'node:fs';`, `import { spawn } from 'node:child_process';`, `import { createProcessRunner } from ${JSON.stringify(built)};`,
    `const runner = createProcessRunner(${JSON.stringify(join(folder, `scratch-${who.uid ?? 'own'}`))});`,
    `const run = () => runner.run({ argv: ['sh', '-c', 'echo fine'], cwd: ${JSON.stringify(join(folder, 'cwd'))}, marker: 'room', timeout_seconds: 60, network: false })`
      + '.then((result) => result.stdout, (error) => ({ type: error.type, message: error.message, nonRetryable: error.nonRetryable }));',
    'const say = (value) => console.log(JSON.stringify(value));', script,
  ].join('\n');
  const { stdout, stderr, status } = spawnSync('prlimit', [...prlimit, process.execPath, '--input-type=module', '-e', text], { encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'] }, timeout: 55_000, ...who });
  if (status !== 0) throw new Error(`${status}: ${stderr}`);
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown);
}

const exhausted = (code: string) => ({ type: 'HOST_EXHAUSTED', message: expect.stringMatching(new RegExp(`sh cannot be started.*${code}.*raise the worker's limits`)) as string, nonRetryable: false });

describe('no descriptor left (EMFILE)', () => {
  const fill = 'const held = []; const fill = () => { for (;;) { try { held.push(openSync("/dev/null")); } catch { return; } } }; const free = () => held.splice(0).forEach((fd) => closeSync(fd));';

  test('that passes: the command is started once there is one', () => {
    expect(worker(['--nofile=80:80'], `${fill} say(await run()); fill(); setTimeout(free, 300); say(await run());`)).toEqual(['fine\n', 'fine\n']);
  });

  test('that stays: a clear failure, and the worker works again afterwards', () => {
    expect(worker(['--nofile=80:80'], `${fill} await run(); fill(); say(await run()); free(); say(await run());`)).toEqual([exhausted('EMFILE'), 'fine\n']);
  });
});

const canRead = spawnSync('test', ['-r', join(projectRoot, 'dist', 'activities', 'process', 'keeper.js')], { uid: 61_235, gid: 61_235 }).status === 0;
// Root is exempt from the limit of processes, so it becomes somebody who runs nothing else.
describe.runIf(process.getuid?.() === 0 && canRead)('no process left (EAGAIN)', () => {
  test('a clear failure, and the worker works again once there is room', () => {
    const fill = 'const held = []; await (async () => { for (let i = 0; i < 100; i += 1) { const child = spawn("sleep", ["30"], { stdio: "ignore" }); const failed = await new Promise((resolve) => child.on("error", () => resolve(true)).on("spawn", () => resolve(false))); if (failed) return; held.push(child); } })();';
    const [first, refused, last] = worker(['--nproc=40:40'], `say(await run()); ${fill} say(await run()); await Promise.all(held.map((child) => new Promise((resolve) => { child.on("exit", resolve); child.kill("SIGKILL"); }))); say(await run());`, { uid: 61_235, gid: 61_235 });
    expect(first).toBe('fine\n');
    expect(refused).toEqual(exhausted('EAGAIN'));
    expect(last).toBe('fine\n');
  });
});

test('every such code counts, ENFILE too, which no test may bring about; nothing else is tried again', async () => {
  expect(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'].every((code) => isExhausted({ code }))).toBe(true);
  let tries = 0;
  await expect(whenThereIsRoom('x', () => { tries += 1; return Promise.reject(Object.assign(new Error('no'), { code: 'ENOENT' })); })).rejects.toThrow('no');
  expect(tries).toBe(1);
  expect(await whenThereIsRoom('x', async () => { tries += 1; if (tries < 4) throw Object.assign(new Error('full'), { code: 'ENFILE' }); return 'started'; })).toBe('started');
});

test('cancelled while it waits for room, it waits no longer', async () => {
  const abort = new AbortController();
  const waiting = whenThereIsRoom('x', () => { abort.abort(new Error('aborted')); return Promise.reject(Object.assign(new Error('full'), { code: 'EAGAIN' })); }, abort.signal);
  await expect(waiting).rejects.toThrow();
});
