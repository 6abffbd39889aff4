/** Processes started through the fork server: as if we had started them ourselves, also when it dies, hangs, or we die. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { ForkServerGone, startProcess, type Started } from '../../src/fork-server/start.ts';
import { createGit } from '../../src/git/git.ts';
import { projectRoot } from '../../src/project.ts';
import { forkServersOf, isAlive, pidsWith, whenGone } from '../support/processes.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { PATH: process.env['PATH']! };
const start = (...argv: string[]): Promise<Started> => startProcess(argv, { cwd: folder, env, descriptors: 3 });

async function said({ descriptors }: Started, descriptor = 1): Promise<string> {
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
    cat.descriptors[0]!.end('to it\n');
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
    cat.descriptors[0]!.destroy();
    expect(await cat.ended).toEqual({ code: 0, signal: null });
  });

  test('many at once keep apart', async () => {
    const all = await Promise.all(Array.from({ length: 40 }, async (_, number) => said(await start('echo', String(number)))));
    expect(all).toEqual(Array.from({ length: 40 }, (_, number) => `${number}\n`));
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

  test('that does not answer is replaced, and goes when it wakes', async () => {
    await said(await start('true'));
    const [stopped] = forkServersOf(process.pid);
    process.kill(stopped!, 'SIGSTOP');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const starting = start('true');
      const refused = expect(starting).rejects.toThrow('true was not started within 30 s');
      await vi.advanceTimersByTimeAsync(30_000);
      await refused;
    } finally {
      vi.useRealTimers();
    }
    expect(await said(await start('echo', 'another'))).toBe('another\n');
    process.kill(stopped!, 'SIGCONT');
    await whenGone(stopped!);
    expect(forkServersOf(process.pid)).toHaveLength(1);
  });

  test('does not hear a terminal, and goes with its parent, however that ends; what it started stays', async () => {
    const tmp = mkdtempSync(join(folder, 'tmp-'));
    const parent = spawn(process.execPath, ['--input-type=module', '-e', [
      `import { startProcess } from ${JSON.stringify(pathToFileURL(join(projectRoot, 'dist', 'fork-server', 'start.js')).href)};`,
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
      `import { startProcess } from ${JSON.stringify(pathToFileURL(join(projectRoot, 'dist', 'fork-server', 'start.js')).href)};`,
      'const { ended, descriptors } = await startProcess(["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 3"], { cwd: "/", env: process.env, descriptors: 3 });',
      'for (const socket of descriptors) socket.destroy();', 'console.log((await ended).code);',
    ].join('\n');
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env: { ...env, TMPDIR: folder } })).toBe('3\n');
  });
});
