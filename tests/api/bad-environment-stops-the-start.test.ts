import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureAdminKey } from '../../src/api/admin-key.ts';
import { readConfig } from '../../src/config.ts';
import { fileOnce, hostIdOf, openHome, pepperOf } from '../../src/home.ts';
import { projectRoot } from '../../src/project.ts';
import { temporaryFolder } from '../support/repository.ts';

let home: string;
beforeEach(() => { home = temporaryFolder(); });
afterEach(() => rm(home, { recursive: true, force: true }));

const said = (environment: Record<string, string>): string => {
  try {
    readConfig(environment);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the environment', () => {
  test('without any of ours, the defaults are those that are written down', () => {
    expect(readConfig({})).toMatchObject({
      home: join(process.cwd(), '.mission-control'), host: '127.0.0.1', port: 8000, environment: 'development', corsOrigins: [], allowPlainHttp: false,
      repoRoots: [join(process.cwd(), '.mission-control', 'repositories')], databaseUrl: undefined, temporal: { address: undefined, namespace: 'default', tls: false },
    });
  });

  test.each<[string, string]>([
    ['MISSION_CONTROL_PORT', 'http'], ['MISSION_CONTROL_PORT', '65536'], ['MISSION_CONTROL_PORT', '-1'], ['MISSION_CONTROL_PORT', '80.5'], ['MISSION_CONTROL_PORT', ''],
    ['MISSION_CONTROL_HOST', ''], ['MISSION_CONTROL_HOME', ''], ['MISSION_CONTROL_ENVIRONMENT', ''], ['MISSION_CONTROL_ENVIRONMENT', 'x'.repeat(201)],
    ['MISSION_CONTROL_ALLOW_PLAIN_HTTP', 'true'], ['MISSION_CONTROL_REPO_ROOTS', 'relative/path'], ['MISSION_CONTROL_REPO_ROOTS', '/fine:not/fine'],
    ['TEMPORAL_TLS', 'maybe'], ['DATABASE_URL', ''], ['TEMPORAL_ADDRESS', ''],
  ])('%s=%s is refused by name', (name, value) => {
    const text = said({ [name]: value });
    expect(text).toMatch(/^the environment is not usable:\n/);
    expect(text).toContain(`  ${name}: `);
  });

  test('everything that is wrong is listed at once, a line each, without the values of secrets', () => {
    const text = said({ MISSION_CONTROL_PORT: 'x', MISSION_CONTROL_ALLOW_PLAIN_HTTP: '1', TEMPORAL_TLS: '1', MISSION_CONTROL_REPO_ROOTS: 'a', TEMPORAL_API_KEY: 'hunter2' });
    expect(new Set(text.split('\n').slice(1).map((line) => line.trim().split(':').at(0))))
      .toEqual(new Set(['MISSION_CONTROL_ALLOW_PLAIN_HTTP', 'MISSION_CONTROL_PORT', 'MISSION_CONTROL_REPO_ROOTS', 'TEMPORAL_TLS']));
    expect(text.split('\n')).toHaveLength(5);
    expect(text).not.toContain('hunter2');
  });

  test('roots, origins and paths are read as they are meant', () => {
    const config = readConfig({ MISSION_CONTROL_HOME: '/data', MISSION_CONTROL_REPO_ROOTS: '/a:/b:', MISSION_CONTROL_CORS_ORIGINS: 'https://a.example, https://b.example', TEMPORAL_API_KEY: 'k' });
    expect(config.repoRoots).toEqual(['/a', '/b', '/data/repositories']);
    expect(config.corsOrigins).toEqual(['https://a.example', 'https://b.example']);
    expect(config.artifacts).toBe('/data/artifacts');
    expect(config.temporal.tls, 'an API key never travels in the clear').toBe(true);
  });

  test('it cannot be changed afterwards', () => {
    const config = readConfig({});
    expect(() => { (config as { host: string }).host = '0.0.0.0'; }).toThrow(TypeError);
    expect(() => { (config.repoRoots as string[]).push('/'); }).toThrow(TypeError);
  });
});

describe('the data directory', () => {
  test.each([0o750, 0o705, 0o701, 0o770, 0o777])('of mode %i is refused', async (mode) => {
    await chmod(home, mode);
    await expect(openHome(home)).rejects.toThrow(/^INSECURE_PERMISSIONS: .*chmod go-rwx /);
  });

  test('is made for its owner only, with what is in it', async () => {
    const fresh = join(home, 'a', 'b');
    await openHome(fresh);
    for (const folder of [fresh, join(fresh, 'keys'), join(fresh, 'scratch'), join(fresh, 'repositories')]) {
      expect((await stat(folder)).mode & 0o777, folder).toBe(0o700);
    }
    await openHome(fresh);
  });

  test.each(['keys/pepper', 'host-id', 'admin.key'])('%s is made 0600 and refused when others can read it', async (name) => {
    await openHome(home);
    const read = { 'keys/pepper': () => pepperOf(home), 'host-id': () => hostIdOf(home), 'admin.key': () => fileOnce(join(home, 'admin.key'), () => 'x') }[name]!;
    const first = String(await read());
    expect((await stat(join(home, name))).mode & 0o777).toBe(0o600);
    expect(String(await read())).toBe(first);
    for (const mode of [0o640, 0o604, 0o660, 0o644]) {
      await chmod(join(home, name), mode);
      await expect(read()).rejects.toThrow(/^INSECURE_PERMISSIONS: /);
    }
  });

  test('twenty at once agree on one secret', async () => {
    await openHome(home);
    const secrets = await Promise.all(Array.from({ length: 20 }, async () => (await pepperOf(home)).toString('hex')));
    expect(new Set(secrets).size).toBe(1);
    expect(await readFile(join(home, 'keys', 'pepper'), 'utf8')).toBe(`${secrets.at(0)}\n`);
  });

  test('an admin.key that holds no key is refused, not replaced', async () => {
    await writeFile(join(home, 'admin.key'), 'not a key\n', { mode: 0o600 });
    await expect(ensureAdminKey(home, undefined as never, Buffer.alloc(32))).rejects.toThrow(/does not hold a key/);
    expect(await readFile(join(home, 'admin.key'), 'utf8')).toBe('not a key\n');
  });

  test('a pepper that is none is refused: with it, everybody\'s digests would be guessable', async () => {
    await openHome(home);
    for (const text of ['', 'abc', 'zz'.repeat(32), 'ab'.repeat(15)]) {
      await writeFile(join(home, 'keys', 'pepper'), text, { mode: 0o600 });
      await expect(pepperOf(home), JSON.stringify(text)).rejects.toThrow(/pepper/);
    }
  });
});

describe('the api process', () => {
  async function start(environment: Record<string, string>): Promise<{ code: number | null; output: string }> {
    const child = spawn(process.execPath, [join(projectRoot, 'dist', 'api', 'main.js')], {
      env: { PATH: process.env['PATH'], MISSION_CONTROL_HOME: join(home, 'data'), DATABASE_URL: 'postgres://127.0.0.1:1/x', TEMPORAL_ADDRESS: '127.0.0.1:1', MISSION_CONTROL_PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    const [code] = await once(child, 'close') as [number | null];
    return { code, output };
  }

  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])('refuses to send keys in the clear from %s', async (host) => {
    const { code, output } = await start({ MISSION_CONTROL_HOST: host });
    expect(code).toBe(1);
    expect(output).toContain(`MISSION_CONTROL_HOST=${host}`);
    expect(output).toContain('MISSION_CONTROL_ALLOW_PLAIN_HTTP');
  });

  test('with the flag it goes on to the next hurdle', async () => {
    const { code, output } = await start({ MISSION_CONTROL_HOST: '0.0.0.0', MISSION_CONTROL_ALLOW_PLAIN_HTTP: 'yes' });
    expect(code).toBe(1);
    expect(output).not.toContain('MISSION_CONTROL_ALLOW_PLAIN_HTTP');
    expect(output).toContain("Can't reach database");
  });

  test('refuses an open data directory, a bad variable and a bad configuration', async () => {
    await mkdir(join(home, 'data'), { mode: 0o700 });
    await chmod(join(home, 'data'), 0o755);
    expect((await start({})).output).toContain('INSECURE_PERMISSIONS');
    expect((await start({ MISSION_CONTROL_PORT: 'many' })).output).toContain('MISSION_CONTROL_PORT: ');
    await chmod(join(home, 'data'), 0o700);
    await writeFile(join(home, 'policy.yaml'), 'approvals: {severties: [critical]}\n');
    await writeFile(join(home, 'metrics_catalog.yaml'), 'metrics: {}\n');
    expect((await start({ MISSION_CONTROL_CONFIG: home })).output).toMatch(/policy\.yaml.*severties/s);
  });
});
