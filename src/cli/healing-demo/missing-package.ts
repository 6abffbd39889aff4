/** A program whose locked dependency vanishes from node_modules. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quickLimits, quickWindow, type Scene } from './scene.ts';

const execute = promisify(execFile);

export async function missingPackage(folder: string): Promise<Scene> {
  const library = join(folder, 'greeter');
  const app = join(folder, 'app');
  await Promise.all([library, app].map((path) => mkdir(path, { recursive: true })));
  await writeFile(join(library, 'package.json'), JSON.stringify({ name: 'greeter', version: '1.0.0', type: 'module', exports: './index.js' }));
  await writeFile(join(library, 'index.js'), "export const greet = (name) => `Hello, ${name}`;\n");
  await npm(library, 'pack', '--pack-destination', app);
  await writeFile(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true, type: 'module', dependencies: { greeter: 'file:greeter-1.0.0.tgz' } }));
  await writeFile(join(app, 'main.js'), "import { greet } from 'greeter';\nconsole.log(greet('world'));\n");
  await npm(app, 'install', '--no-audit', '--no-fund');
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
    async stop() { /* nothing of it runs */ },
  };
}

/** Offline: everything it needs is in the folder. */
const npm = (cwd: string, ...args: string[]): Promise<unknown> => execute('npm', [...args, '--offline', '--silent'], { cwd });
