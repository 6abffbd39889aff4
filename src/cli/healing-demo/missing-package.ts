/** A program whose locked dependency vanishes from node_modules, and a small package registry that still has it. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quickLimits, quickWindow, type Scene } from './scene.ts';

const execute = promisify(execFile);

export async function missingPackage(folder: string): Promise<Scene> {
  const library = join(folder, 'greeter');
  const app = join(folder, 'app');
  await Promise.all([library, join(app, 'node_modules')].map((path) => mkdir(path, { recursive: true })));
  await write(join(library, 'package.json'), { name: 'greeter', version: '1.0.0', type: 'module', exports: './index.js' });
  await writeFile(join(library, 'index.js'), 'export const greet = (name) => `Hello, ${name}`;\n');
  await execute('npm', ['pack', '--silent', '--offline'], { cwd: library });
  const archive = await readFile(join(library, 'greeter-1.0.0.tgz'));

  const registry = createServer(({ url }, response) => {
    response.statusCode = url === '/greeter-1.0.0.tgz' ? 200 : 404;
    response.end(response.statusCode === 200 ? archive : '{}');
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const address = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
  const manifest = { name: 'app', version: '1.0.0', type: 'module', dependencies: { greeter: '^1.0.0' } };
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  await write(join(app, 'package.json'), manifest);
  await write(join(app, 'package-lock.json'), {
    name: 'app', version: '1.0.0', lockfileVersion: 3, requires: true,
    packages: { '': manifest, 'node_modules/greeter': { version: '1.0.0', resolved: `${address}/greeter-1.0.0.tgz`, integrity } },
  });
  await writeFile(join(app, '.npmrc'), `registry=${address}/\n`);
  await writeFile(join(app, 'main.js'), "import { greet } from 'greeter';\nconsole.log(greet('world'));\n");
  await cp(library, join(app, 'node_modules', 'greeter'), { recursive: true });
  const main = [process.execPath, join(app, 'main.js')];

  return {
    id: 'greetings',
    about: 'a program with one dependency, declared and locked',
    subsystem: {
      name: 'Greetings', resources: { 'app-packages': { kind: 'packages', manager: 'npm', path: app, check_argv: main } },
      probes: [{ id: 'loads', kind: 'command', argv: main, interval_seconds: 2, timeout_seconds: 5, symptom: 'import_error', resource: 'app-packages' }],
    },
    binding: {
      playbook: 'import_error', subsystem: 'greetings', resource: 'app-packages', limits: quickLimits, observe: quickWindow, params: { lock_truth: 'file' },
    },
    metrics: {}, addresses: [],
    async breakIt() {
      await rm(join(app, 'node_modules', 'greeter'), { recursive: true });
      return 'node_modules/greeter was deleted';
    },
    async use() {
      const { stdout } = await execute(main[0]!, main.slice(1));
      return `it says "${stdout.trim()}"`;
    },
    async stop() { registry.close(); },
  };
}

const write = (file: string, value: unknown): Promise<void> => writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
