/** Projects with real packages: a registry of our own that counts what it is asked for, and wheels in a folder. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { projectRoot } from '../../src/project.ts';
import { openPlaybookBench } from './playbook-bench.ts';
import { makeRepository, temporaryFolder } from './repository.ts';

type Files = Record<string, string>;
interface Package { name: string; version: string; files: Files; dependencies?: Record<string, string>; scripts?: Record<string, string>; exports?: unknown }

const addon = join(projectRoot, 'node_modules', '@photostructure', 'sqlite', 'prebuilds', `${process.platform}-${process.arch}`, '@photostructure+sqlite.glibc.node');

/** `left` needs `deep`; `shape` has an export map; `addon` is compiled by its install script. */
export const packages: Package[] = [
  { name: 'left', version: '1.2.3', files: { 'index.js': `module.exports = 'left+' + require('@far/deep');\n` }, dependencies: { '@far/deep': '^2.0.0' } },
  { name: '@far/deep', version: '2.0.1', files: { 'index.js': `module.exports = 'deep';\n` } },
  { name: 'shape', version: '1.0.0', files: { 'index.js': `module.exports = 'shape';\n`, 'inner.js': '' }, exports: { '.': './index.js' } },
  {
    name: 'addon', version: '3.0.0', scripts: { install: 'node make.js' },
    files: {
      'index.js': `module.exports = require('./addon.node');\n`,
      'make.js': `require('node:fs').copyFileSync(${JSON.stringify(addon)}, require('node:path').join(__dirname, 'addon.node'));\n`,
    },
  },
  // Nobody allows its script, and nobody needs it.
  { name: 'noise', version: '1.0.0', scripts: { install: 'node run.js' }, files: { 'index.js': '', 'run.js': `require('node:fs').writeFileSync('ran', '');\n` } },
  { name: 'parts', version: '1.0.0', files: { 'one.js': '' }, exports: { './one': './one.js' } },
];

const manifestOf = ({ files: _, ...manifest }: Package): string => JSON.stringify({ main: 'index.js', ...manifest });

function writeAll(folder: string, files: Files): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
}

const unpack = (folder: string, one: Package): void => writeAll(folder, { 'package.json': manifestOf(one), ...one.files });

/** Serves each package's archive, and remembers every request. */
export async function openRegistry() {
  const folder = temporaryFolder();
  const asked: string[] = [];
  const archives = new Map(packages.map((one) => {
    unpack(join(folder, one.name, 'package'), one);
    return [`/${one.name}.tgz`, execFileSync('tar', ['czf', '-', '-C', join(folder, one.name), 'package'])];
  }));
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const archive = archives.get(decodeURIComponent(url));
    response.statusCode = archive === undefined ? 404 : 200;
    response.end(archive ?? '{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url, asked,
    locked: ({ name, version, dependencies, scripts }: Package) => ({
      version, resolved: `${url}/${name}.tgz`, integrity: `sha512-${createHash('sha512').update(archives.get(`/${name}.tgz`)!).digest('base64')}`,
      ...(dependencies === undefined ? {} : { dependencies }), ...(scripts?.['install'] === undefined ? {} : { hasInstallScript: true }),
    }),
    async close(): Promise<void> {
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface NpmOptions { main?: string; resource?: Record<string, unknown> }

/** A committed project that uses every package, all of them there and working, and its registry. */
export async function makeNpmProject({ main = `require('left'); require('shape');\n`, resource = {} }: NpmOptions = {}) {
  const registry = await openRegistry();
  const manifest = { name: 'app', version: '1.0.0', dependencies: { left: '^1.0.0', shape: '^1.0.0', addon: '^3.0.0', noise: '^1.0.0', parts: '^1.0.0' } };
  const lock = {
    name: 'app', version: '1.0.0', lockfileVersion: 3, requires: true,
    packages: { '': manifest, ...Object.fromEntries(packages.map((one) => [`node_modules/${one.name}`, registry.locked(one)])) },
  };
  const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const folder = temporaryFolder();
  const repository = makeRepository(folder, {
    'package.json': text(manifest), 'package-lock.json': text(lock), 'main.js': main, '.gitignore': 'node_modules\n', '.npmrc': `registry=${registry.url}/\n`,
  });
  const project = repository.path;
  for (const one of packages) unpack(join(project, 'node_modules', one.name), one);
  cpSync(addon, join(project, 'node_modules', 'addon', 'addon.node'));
  return {
    registry, repository, project, manifest, lock, text,
    declared: { kind: 'packages', manager: 'npm', path: project, check_argv: ['node', 'main.js'], rebuild_allowed: ['addon'], ...resource },
    module: (...parts: string[]): string => join(project, 'node_modules', ...parts),
    remove: (name: string): void => rmSync(join(project, 'node_modules', name), { recursive: true }),
    read: (file: string): string => readFileSync(join(project, file), 'utf8'),
    async close(): Promise<void> {
      await registry.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type NpmBench = Awaited<ReturnType<typeof openNpmBench>>;

export async function openNpmBench(options: NpmOptions = {}) {
  const project = await makeNpmProject(options);
  const bench = await openPlaybookBench({ app: project.declared });
  return {
    ...bench, ...project,
    declare: (changed: Record<string, unknown>) => bench.configure({ app: { ...project.declared, ...changed } }),
    async close(): Promise<void> {
      await bench.close();
      await project.close();
    },
  };
}

/** Wheels are zip archives; Python makes them. */
const wheelScript = `
import sys, zipfile, hashlib, json
out = {}
for name, version, body in json.loads(sys.argv[2]):
    path = f'{sys.argv[1]}/{name}-{version}-py3-none-any.whl'
    info = f'{name}-{version}.dist-info'
    files = {f'{name}/__init__.py': body, f'{info}/METADATA': f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n',
             f'{info}/WHEEL': 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}
    with zipfile.ZipFile(path, 'w') as wheel:
        for file, text in files.items(): wheel.writestr(file, text)
        wheel.writestr(f'{info}/RECORD', ''.join(f'{file},,\\n' for file in [*files, f'{info}/RECORD']))
    with zipfile.ZipFile(path) as wheel: wheel.extractall(sys.argv[3])
    out[name] = hashlib.sha256(open(path, 'rb').read()).hexdigest()
print(json.dumps(out))
`;

export type PipBench = Awaited<ReturnType<typeof openPipBench>>;

/** @param hashed whether the requirements say what their content is */
export async function openPipBench({ hashed = 'hashed', main = 'import tinypkg, otherpkg\n' }: { hashed?: 'hashed' | 'unhashed'; main?: string } = {}) {
  const folder = temporaryFolder();
  const wheels = join(folder, 'wheels');
  const site = join(folder, 'site');
  mkdirSync(wheels);
  mkdirSync(site);
  const made = [['tinypkg', '1.0.0', 'x = 1\n'], ['otherpkg', '2.0.0', 'y = 2\n']] as const;
  const hashes = JSON.parse(execFileSync('python3', ['-c', wheelScript, wheels, JSON.stringify(made), site], { encoding: 'utf8' })) as Record<string, string>;
  const pins = made.map(([name, version]) => `${name}==${version}${hashed === 'hashed' ? ` \\\n    --hash=sha256:${hashes[name]}` : ''}\n`);
  const repository = makeRepository(folder, { 'requirements.txt': `--no-index\n--find-links ${wheels}\n${pins.join('')}`, 'main.py': main, '.gitignore': 'site\n' });
  const project = repository.path;
  cpSync(site, join(project, 'site'), { recursive: true });
  const bench = await openPlaybookBench({ app: { kind: 'packages', manager: 'pip', path: project, check_argv: ['python3', 'main.py'] } });
  return {
    ...bench, repository, project, wheels,
    site: (...parts: string[]): string => join(project, 'site', ...parts),
    read: (file: string): string => readFileSync(join(project, file), 'utf8'),
    async close(): Promise<void> {
      await bench.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
