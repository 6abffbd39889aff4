/** Processes started through the fork server: as if we had started them ourselves, also when it dies, hangs, or we die. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { toFailure } from '../../src/engine/failure.ts';
import { ForkServerGone, startProcess, type Started } from '../../src/fork-server/start.ts';
import { createGit } from '../../src/git/git.ts';
import { projectRoot } from '../../src/project.ts';
import { forkServersOf, isAlive, pidsWith, whenGone } from '../support/processes.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const built = JSON.stringify(pathToFileURL(join(projectRoot, 'dist', 'fork-server', 'start.js')).href);
const env = { PATH: process.env['PATH']! };
const start = (...argv: string[]): Promise<Started<3>> => startProcess(argv, { cwd: folder, env, descriptors: 3 });

async function said({ descriptors }: Started<3>, descriptor = 1): Promise<string> {
  let text = '';
  for await (const chunk of descriptors[descriptor]!) text += String(chunk);
  return text;
}

/** The processes with this in their environment, once there is one. */
async function whenRunning(variable: string): Promise<number[]> {
  for (;;) {
    const pids = pidsWith(variable);
    if (pids.length > 0) return pids;
    // The kernel tells nobody.
    await new Promise((resolve) => { setImmediate(resolve); });
  }
}

describe('a process that it starts', () => {
  test('reads and writes by sockets of ours alone, and its end is told', async () => {
    const cat = await start('sh', '-c', 'cat; echo done >&2; exit 7');
    cat.descriptors[0].end('to it\n');
    expect(await said(cat)).toBe('to it\n');
    expect(await said(cat, 2)).toBe('done\n');
    expect(await cat.ended).toEqual({ code: 7, signal: null });
  });

  test('has our folder and environment and nothing else, and leads a session', async () => {
    const { PWD: _, ...seen } = JSON.parse(await said(await start(process.execPath, '-e', 'console.log(JSON.stringify({ ...process.env, cwd: process.cwd() }))'))) as Record<string, string>;
    expect(seen).toEqual({ ...env, cwd: folder });
    const sleeping = await start('sleep', '60');
    expect(readFileSync(`/proc/${sleeping.pid}/stat`, 'utf8').split(' ').slice(4, 6)).toEqual([`${sleeping.pid}`, `${sleeping.pid}`]);
    process.kill(-sleeping.pid, 'SIGTERM');
    expect(await sleeping.ended).toEqual({ code: null, signal: 'SIGTERM' });
  });

  test('megabytes come whole, also when it ends before we read', async () => {
    const big = await start(process.execPath, '-e', 'process.stdout.write("x".repeat(8_000_000))');
    expect((await said(big)).length).toBe(8_000_000);
    const short = await start('echo', 'said before we listen');
    await short.ended;
    expect(await said(short)).toBe('said before we listen\n');
  });

  test('closing our end reaches it: nobody else holds the other one', async () => {
    const cat = await start('cat');
    cat.descriptors[0].destroy();
    expect(await cat.ended).toEqual({ code: 0, signal: null });
  });

  test('many at once keep apart', async () => {
    const all = await Promise.all(Array.from({ length: 40 }, async (_, number) => said(await start('echo', String(number)))));
    expect(all).toEqual(Array.from({ length: 40 }, (_, number) => `${number}\n`));
  });

  test('git itself is not there: it is said as that', async () => {
    const git = createGit(join(folder, 'git-home'), readConfig({ MISSION_CONTROL_HOME: folder }).git);
    const error = await git.run(['version'], { env: { PATH: folder } }).catch((thrown: unknown) => thrown);
    expect(toFailure(error)).toMatchObject({ type: 'TOOL_MISSING', message: 'git is not installed on this host' });
  });

  test.each([
    ['not there', 'ENOENT', ['no-such-program'], undefined],
    ['no program', 'EACCES', ['/etc/passwd'], undefined],
    ['no folder', 'ENOENT', ['true'], '/no/such/folder'],
  ])('%s: %s', async (_, code, argv, cwd) => {
    await expect(startProcess(argv, { cwd: cwd ?? folder, env, descriptors: 3 })).rejects.toMatchObject({ code });
  });
});

describe('the server', () => {
  test('killed, takes no process with it; nobody is told how that ends, and the next one is started by another', async () => {
    const before = await start('sleep', '60');
    const [server] = forkServersOf(process.pid);
    process.kill(server!, 'SIGKILL');
    await expect(before.ended).rejects.toThrow(ForkServerGone);
    expect(isAlive(before.pid)).toBe(true);
    process.kill(before.pid, 'SIGKILL');
    expect(await said(await start('echo', 'another'))).toBe('another\n');
    expect(forkServersOf(process.pid)).toHaveLength(1);
  });

  test.each(['before it could say which process that is', 'while that runs'])('killed under a git %s, ends that git: the next try must not meet it', async (when) => {
    const git = createGit(join(folder, 'git-home'), readConfig({ MISSION_CONTROL_HOME: folder }).git);
    const pipe = join(folder, `nobody writes to it ${when}`);
    execFileSync('mkfifo', [pipe]);
    await said(await start('true'));
    const [server] = forkServersOf(process.pid);
    const reading = git.run(['hash-object', pipe], { env: { UNDER: when } });
    reading.catch(() => undefined);
    const [pid] = await whenRunning(`UNDER=${when}`);
    // What it says comes in order.
    if (when === 'while that runs') await said(await start('true'));
    process.kill(server!, 'SIGKILL');
    await expect(reading).rejects.toThrow(ForkServerGone);
    await whenGone(pid!);
  });

  test('killed under a git that was cancelled: that is what is told', async () => {
    const git = createGit(join(folder, 'git-home'), readConfig({ MISSION_CONTROL_HOME: folder }).git);
    const pipe = join(folder, 'nobody writes to it, cancelled');
    execFileSync('mkfifo', [pipe]);
    const cancel = new AbortController();
    const reading = git.run(['hash-object', pipe], { env: { UNDER: 'cancelled' }, signal: cancel.signal });
    reading.catch(() => undefined);
    const [pid] = await whenRunning('UNDER=cancelled');
    process.kill(forkServersOf(process.pid)[0]!, 'SIGSTOP');
    cancel.abort(new Error('somebody cancelled it'));
    process.kill(forkServersOf(process.pid)[0]!, 'SIGKILL');
    await expect(reading).rejects.toThrow('somebody cancelled it');
    await whenGone(pid!);
  });

  test('that does not answer is ended, and another one takes its place', async () => {
    const waits = await start('sleep', '60');
    const [stopped] = forkServersOf(process.pid);
    process.kill(stopped!, 'SIGSTOP');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const refused = expect(start('true')).rejects.toThrow(ForkServerGone);
      await vi.advanceTimersByTimeAsync(30_000);
      await refused;
    } finally {
      vi.useRealTimers();
    }
    await expect(waits.ended).rejects.toThrow(ForkServerGone);
    process.kill(waits.pid, 'SIGKILL');
    await whenGone(stopped!);
    expect(await said(await start('echo', 'another'))).toBe('another\n');
  });

  test('whose folder somebody cleared away is replaced', async () => {
    vi.stubEnv('TMPDIR', mkdtempSync(join(folder, 'tmp-')));
    try {
      await said(await start('true'));
      process.kill(forkServersOf(process.pid)[0]!, 'SIGKILL');
      await vi.waitFor(async () => expect(await said(await start('echo', 'made there'))).toBe('made there\n'));
      rmSync(process.env['TMPDIR']!, { recursive: true });
      mkdirSync(process.env['TMPDIR']!);
      await expect(start('true')).rejects.toThrow('cannot be reached');
      await vi.waitFor(async () => expect(await said(await start('echo', 'another'))).toBe('another\n'));
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test.each([['killed, leaves nothing in TMPDIR', 'tmp'], ['does without a TMPDIR whose name is too long for a socket', 'long'.repeat(30)]])('%s', async (_, name) => {
    const tmp = join(folder, name);
    mkdirSync(tmp);
    vi.stubEnv('TMPDIR', tmp);
    try {
      // The first of these may be one that was there before; the second one cannot.
      for (let round = 0; round < 3; round += 1) {
        await vi.waitFor(async () => expect(await said(await start('echo', 'there'))).toBe('there\n'));
        const [server] = forkServersOf(process.pid);
        process.kill(server!, 'SIGKILL');
        await whenGone(server!);
      }
      await vi.waitFor(() => expect(readdirSync(tmp)).toEqual([]));
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test.each([0, 20, 60, 200])('goes with a parent that ends %i ms after it asked for it', async (ms) => {
    const tmp = mkdtempSync(join(folder, 'tmp-'));
    const parent = spawn(process.execPath, ['--input-type=module', '-e', [
      `import { startProcess } from ${built};`, 'void startProcess(["true"], { cwd: "/", env: {}, descriptors: 3 });', `setTimeout(() => process.exit(0), ${ms});`,
    ].join('\n')], { env: { ...env, TMPDIR: tmp }, stdio: ['ignore', 'ignore', 'pipe'] });
    parent.stderr.resume();
    // A server that stayed would hold this open.
    await once(parent, 'close');
    expect(readdirSync(tmp)).toEqual([]);
  });

  test('does not hear a terminal, and goes with its parent, however that ends; what it started stays', async () => {
    const tmp = mkdtempSync(join(folder, 'tmp-'));
    const parent = spawn(process.execPath, ['--input-type=module', '-e', [
      `import { startProcess } from ${built};`,
      'const { pid } = await startProcess(["sleep", "60"], { cwd: "/", env: {}, descriptors: 3 });', 'console.log(pid);',
    ].join('\n')], { env: { ...env, TMPDIR: tmp }, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout, 'data') as [Buffer];
    const started = Number(String(line));
    const [server] = forkServersOf(parent.pid!);
    process.kill(server!, 'SIGINT');
    process.kill(server!, 'SIGTERM');
    expect(readdirSync(tmp)).toHaveLength(1);
    expect(isAlive(server!)).toBe(true);
    parent.kill('SIGKILL');
    await whenGone(server!);
    expect(readdirSync(tmp)).toEqual([]);
    expect(isAlive(started)).toBe(true);
    process.kill(started, 'SIGKILL');
  });

  test('keeps no program from ending that has nothing more to do, and lets none end that waits', () => {
    const script = [
      `import { startProcess } from ${built};`,
      'const { ended, descriptors } = await startProcess(["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 3"], { cwd: "/", env: process.env, descriptors: 3 });',
      'for (const socket of descriptors) socket.destroy();', 'console.log((await ended).code);',
    ].join('\n');
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env: { ...env, TMPDIR: folder } })).toBe('3\n');
  });
});
