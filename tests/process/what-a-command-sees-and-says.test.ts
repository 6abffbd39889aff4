import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProcessRunner, type RunRequest } from '../../src/activities/process/runner.ts';
import { startProcess } from '../../src/fork-server/start.ts';
import { projectRoot } from '../../src/project.ts';
import { running } from '../support/processes.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
/** For whoever is not root. */
const open = temporaryFolder();
const scratch = join(folder, 'scratch');
const runner = createProcessRunner(scratch);
const marker = `what-a-command-sees-${process.pid}`;
const builtRunner = pathToFileURL(join(projectRoot, 'dist', 'activities', 'process', 'runner.js')).href;
const cap = 10 * 1024 * 1024;
/** Ours, as far as these tests go: a command that was given it by mistake harms nobody. */
const ourHome = join(folder, 'our-home');
// It keeps its socket in the TMPDIR that is ours when it starts.
beforeAll(() => startProcess(['true'], { cwd: '/', env: {}, descriptors: 3 }));
beforeEach(() => {
  mkdirSync(ourHome, { recursive: true });
  vi.stubEnv('HOME', ourHome);
  vi.stubEnv('TMPDIR', ourHome);
});
afterEach(() => {
  expect(readdirSync(ourHome)).toEqual([]);
  vi.unstubAllEnvs();
  expect(running(marker)).toEqual([]);
});
afterAll(() => { for (const made of [folder, open]) rmSync(made, { recursive: true, force: true }); });

const node = (script: string, more: Partial<RunRequest> = {}): RunRequest =>
  ({ argv: [process.execPath, '-e', script], cwd: folder, marker, timeout_seconds: 120, network: false, ...more });
const environment = async (more: Partial<RunRequest> = {}): Promise<Record<string, string>> =>
  JSON.parse((await runner.run(node('process.stdout.write(JSON.stringify(process.env))', more))).stdout) as Record<string, string>;

describe('the environment', () => {
  const secrets = {
    DATABASE_URL: 'postgres://secret', MISSION_CONTROL_KEY: 'secret', AWS_SECRET_ACCESS_KEY: 'secret', GITHUB_TOKEN: 'secret', NPM_TOKEN: 'secret',
    SSH_AUTH_SOCK: '/secret', TEMPORAL_API_KEY: 'secret', LD_PRELOAD: '', NODE_OPTIONS: '--title=secret', GIT_DIR: '/secret', VITEST: 'secret', PLANTED: 'secret',
  };

  test('holds nothing of ours but what is on the list', async () => {
    for (const [name, value] of Object.entries(secrets)) vi.stubEnv(name, value);
    vi.stubEnv('LC_ALL', 'C.UTF-8');
    vi.stubEnv('HTTPS_PROXY', 'http://user:secret@proxy');
    const seen = await environment();
    expect(JSON.stringify(seen)).not.toContain('secret');
    for (const name of Object.keys(secrets)) expect(seen).not.toHaveProperty(name);
    expect(seen).toMatchObject({ PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', CI: '1', MISSION_CONTROL_RUN: expect.stringMatching(new RegExp(`^${marker}@[0-9a-f]{12}$`)) as string });
  });

  test('has proxies and registries only with network: true, and secrets not even then', async () => {
    const network = { HTTPS_PROXY: 'http://proxy:3128', no_proxy: 'localhost', npm_config_registry: 'http://registry', PIP_INDEX_URL: 'http://pip', GOPROXY: 'http://go' };
    for (const [name, value] of Object.entries({ ...secrets, ...network })) vi.stubEnv(name, value);
    const without = await environment();
    for (const name of Object.keys(network)) expect(without).not.toHaveProperty(name);
    const seen = await environment({ network: true });
    expect(seen).toMatchObject(network);
    for (const name of Object.keys(secrets)) expect(seen).not.toHaveProperty(name);
  });

  test('has a HOME and a TMPDIR of its own, empty, writable by nobody else, gone afterwards', async () => {
    const script = `const fs = require('node:fs'); const { HOME, TMPDIR } = process.env;
      console.log(JSON.stringify([HOME, TMPDIR].map((path) => [path, fs.readdirSync(path).length, (fs.statSync(path).mode & 0o777).toString(8)])));
      fs.writeFileSync(HOME + '/.npmrc', 'x'); fs.mkdirSync(TMPDIR + '/deep/er', { recursive: true }); fs.writeFileSync(TMPDIR + '/deep/er/x', 'x');`;
    const own = join(folder, 'own-scratch');
    const fresh = createProcessRunner(own);
    const runs = await Promise.all([1, 2].map(() => fresh.run(node(script))));
    const seen = runs.map((run) => JSON.parse(run.stdout) as [string, number, string][]);
    const paths = seen.flat().map(([path]) => path);
    expect(new Set(paths).size).toBe(4);
    for (const [path, entries, mode] of seen.flat()) {
      expect(path.startsWith(own)).toBe(true);
      expect([entries, mode]).toEqual([0, '700']);
      expect(existsSync(path)).toBe(false);
    }
    // What stays is the output, for whoever asked.
    expect(readdirSync(own).toSorted()).toEqual(runs.map((run) => run.output_file.slice(own.length + 1)).toSorted());
  });

  // Permissions stop nobody who is root, so root becomes somebody else for this one.
  const somebody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const canRead = spawnSync('test', ['-r', join(projectRoot, 'dist', 'activities', 'process', 'keeper.js')], somebody).status === 0;
  test.runIf(canRead)('a HOME with folders that nobody may write, as Go makes them, is removed all the same', () => {
    chmodSync(open, 0o777);
    const script = 'mkdir -p $HOME/go/pkg/mod && echo x > $HOME/go/pkg/mod/file && chmod -R a-w $HOME/go && echo made';
    const worker = [
      `const { createProcessRunner } = await import(${JSON.stringify(builtRunner)});`,
      `const run = await createProcessRunner(${JSON.stringify(join(open, 'scratch'))}).run({ ...${JSON.stringify(node(''))}, cwd: '/', argv: ['sh', '-c', ${JSON.stringify(script)}] });`,
      'console.log(run.stdout);',
    ].join('\n');
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', worker], { encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'], HOME: join(open, 'home') }, ...somebody });
    expect(stdout.trim(), stderr).toBe('made');
    expect(readdirSync(join(open, 'scratch'))).toEqual([expect.stringMatching(/\.log$/)]);
  });

  test('NODE_OPTIONS for a command reaches the command and not its keeper', async () => {
    const planted = join(folder, 'planted.cjs');
    const loaded = join(folder, 'loaded');
    writeFileSync(planted, `require('node:fs').appendFileSync(${JSON.stringify(loaded)}, process.argv.concat(process.execArgv).join(' ') + '\\n');`);
    const seen = await environment({ env: { NODE_OPTIONS: `--require ${planted}` } });
    expect(seen['NODE_OPTIONS']).toBe(`--require ${planted}`);
    expect(Object.keys(seen).filter((name) => name.includes('NODE_OPTIONS'))).toEqual(['NODE_OPTIONS']);
    const by = readFileSync(loaded, 'utf8').trim().split('\n');
    expect(by).toHaveLength(1);
    expect(by[0]).not.toContain('keeper');
  });

  test('the command has no input to wait for', async () => {
    const run = await runner.run(node('process.stdin.on("data", () => {}).on("end", () => console.log("at its end"))'));
    expect(run).toMatchObject({ exit_code: 0, stdout: 'at its end\n' });
  });
});

describe('the output', () => {
  test('both streams are in the file, standard output alone in the result', async () => {
    const run = await runner.run(node('console.log("out"); console.error("err")'));
    expect(run).toMatchObject({ stdout: 'out\n', truncated: false });
    expect(readFileSync(run.output_file, 'utf8').split('\n').toSorted()).toEqual(['', 'err', 'out']);
    expect(statSync(run.output_file).mode & 0o777).toBe(0o600);
  });

  test('a character that falls between two chunks stays whole', async () => {
    const run = await runner.run(node('process.stdout.write("a" + "€💥".repeat(100_000))'));
    expect(run.stdout === `a${'€💥'.repeat(100_000)}`).toBe(true);
  });

  test('100 MB are cut at 10 MiB while they stream: the command ends by itself, our memory stays as it was', async () => {
    const flood = `const chunk = Buffer.alloc(1 << 20, 'x'); let left = 100;
      const more = () => { while (left-- > 0) if (!process.stdout.write(chunk)) return void process.stdout.once('drain', more); console.error('all written'); }; more();`;
    let most = 0;
    const before = process.memoryUsage().rss;
    const timer = setInterval(() => { most = Math.max(most, process.memoryUsage().rss); }, 20);
    const run = await runner.run(node(flood)).finally(() => clearInterval(timer));
    expect(run).toMatchObject({ exit_code: 0, truncated: true });
    expect(statSync(run.output_file).size).toBe(cap);
    expect(run.stdout.length).toBeGreaterThanOrEqual(cap);
    expect(run.stdout.length).toBeLessThan(cap + (1 << 20));
    expect(most).toBeGreaterThan(0);
    // Twice the cap is kept, for the file and for the result; the rest is room for the garbage collector.
    expect(most - before).toBeLessThan(80 * 1024 * 1024);
  });

  test('exactly 10 MiB are not cut', async () => {
    const run = await runner.run(node(`process.stdout.write(Buffer.alloc(${cap}, 'x'))`));
    expect(run.truncated).toBe(false);
    expect(statSync(run.output_file).size).toBe(cap);
  });

  test('an output file that cannot be written fails the run and not the worker', () => {
    const worker = join(folder, 'worker.mjs');
    writeFileSync(worker, [
      `import { createProcessRunner } from ${JSON.stringify(builtRunner)};`,
      `const runner = createProcessRunner(${JSON.stringify(join(folder, 'full'))});`,
      `const run = (script) => runner.run({ ...${JSON.stringify(node(''))}, argv: [process.execPath, '-e', script] });`,
      'const failed = await run("process.stdout.write(\'x\'.repeat(3_000_000))").then(() => "no error", (error) => error.code);',
      'const next = await run("console.log(\'fine\')");',
      'console.log(JSON.stringify([failed, next.stdout]));',
    ].join('\n'));
    // A file size limit stands for the full disk: the write fails in the same place.
    const { stdout, status } = spawnSync('sh', ['-c', `ulimit -f 1000; exec ${process.execPath} ${worker}`], { encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual(['EFBIG', 'fine\n']);
    expect(status).toBe(0);
    expect(readdirSync(join(folder, 'full'))).toHaveLength(1);
  });
});
