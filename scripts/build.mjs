/** Builds everything that runs: the Prisma client, the compiled sources, the workflow bundle. `--if-stale`: only if needed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const generated = join(root, 'src', 'store', 'prisma');

/** Newest change below a file or folder, in milliseconds. */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || path === generated) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function isStale() {
  const built = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return ['src', 'prisma', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs'].some((path) => newest(join(root, path)) > built);
}

function run(name, args, env = {}) {
  execFileSync(process.execPath, [join(root, 'node_modules', ...name), ...args], {
    cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env },
  });
}

if (!process.argv.includes('--if-stale') || isStale()) {
  const started = Date.now();
  console.log('building Mission Control …');
  try {
    // Newer changes than the start of the build make it stale again.
    rmSync(dist, { recursive: true, force: true });
    rmSync(generated, { recursive: true, force: true });
    // The generator looks for an engine that it never calls; any executable will do.
    run(['prisma', 'build', 'index.js'], ['generate'], { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: '1' });
    run(['typescript', 'bin', 'tsc'], ['-p', 'tsconfig.build.json']);
    const { buildWorkflowBundle } = await import(pathToFileURL(join(dist, 'worker', 'bundle.js')).href);
    await buildWorkflowBundle();
    mkdirSync(dist, { recursive: true });
    writeFileSync(stamp, '');
    console.log(`built in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  } catch (error) {
    console.error(String(error.stdout ?? '').trim() || error);
    console.error('the build failed');
    process.exit(1);
  }
}
