/** A real Prometheus for one test file: one that is installed, one we fetched before, or the distribution's package unpacked. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { findInPackage } from './debian-package.ts';

/** Where the program is, or why there is none. */
export async function findPrometheus(): Promise<{ binary: string } | { missing: string }> {
  const found = await findInPackage('prometheus', 'prometheus');
  return 'missing' in found ? found : { binary: join(found.folder, 'prometheus') };
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
