/** A real Prometheus for one test file: one that is installed, one we fetched before, or the distribution's package unpacked. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../src/cli/launcher/ports.ts';

const run = promisify(execFile);
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mission-control', 'prometheus');
const cached = join(cache, 'usr', 'bin', 'prometheus');

const executable = (path: string): Promise<boolean> => access(path, constants.X_OK).then(() => true, () => false);

/** Where the program is, or why there is none. */
export async function findPrometheus(): Promise<{ binary: string } | { missing: string }> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && await executable(join(folder, 'prometheus'))) return { binary: join(folder, 'prometheus') };
  }
  if (await executable(cached)) return { binary: cached };
  await mkdir(join(cache, '..'), { recursive: true });
  const folder = await mkdtemp(`${cache}.`);
  try {
    await run('apt-get', ['download', 'prometheus'], { cwd: folder, timeout: 60_000 });
    const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
    if (deb === undefined) return { missing: 'apt-get download prometheus brought no package' };
    await run('dpkg-deb', ['-x', join(folder, deb), join(folder, 'unpacked')], { timeout: 60_000 });
    // Whole or not at all: another test process may do the same.
    await rename(join(folder, 'unpacked'), cache).catch(() => undefined);
    return await executable(cached) ? { binary: cached } : { missing: `the package holds no ${cached}` };
  } catch (error) {
    return { missing: `not on PATH, not in ${cache}, and apt-get download failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface RunningPrometheus { url: string; address: string; stop(): Promise<void> }

/** Scrapes `target` every 200 ms. */
export async function startPrometheus(binary: string, target: string): Promise<RunningPrometheus> {
  const home = await mkdtemp(join(tmpdir(), 'mission-control-prometheus-'));
  const address = `127.0.0.1:${await freePort(0)}`;
  await writeFile(join(home, 'prometheus.yml'), [
    'global: {scrape_interval: 200ms, scrape_timeout: 200ms}', 'scrape_configs:',
    `  - {job_name: service, static_configs: [{targets: ["${target}"]}]}`, '',
  ].join('\n'));
  const log = openSync(join(home, 'log'), 'a');
  const child: ChildProcess = spawn(binary, [
    `--config.file=${join(home, 'prometheus.yml')}`, `--storage.tsdb.path=${join(home, 'data')}`, `--web.listen-address=${address}`,
  ], { stdio: ['ignore', log, log], env: { PATH: process.env['PATH'], HOME: home } });
  const gone = once(child, 'exit');
  const url = `http://${address}`;
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
    await rm(home, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + 45_000; ;) {
    if (await fetch(`${url}/-/ready`).then((answer) => answer.ok, () => false)) return { url, address, stop };
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error('Prometheus did not become ready');
    }
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}
