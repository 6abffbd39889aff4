/** Builds everything that runs: the Prisma client, the compiled sources, the workflow bundle, the dashboard. `--if-stale`: only if needed. */
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const fresh = join(root, `dist.${process.pid}`);
const stamp = join(dist, '.built');
const generated = join(root, 'src', 'store', 'prisma');

/** Newest change below a file or folder, in milliseconds. */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || path === generated) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** Oldest file directly in a folder; 0 when there is none. */
function oldest(path) {
  const names = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(path) : [];
  return names.length === 0 ? 0 : Math.min(...names.map((name) => statSync(join(path, name)).mtimeMs));
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

/** The web page, with every file compressed once for all who will ask for it. */
async function buildDashboard(folder) {
  await promisify(execFile)(process.execPath, [
    join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', join(root, 'src', 'dashboard'), '--outDir', folder, '--logLevel', 'warn',
  ], { cwd: root });
  for (const name of readdirSync(join(folder, 'assets'))) {
    const path = join(folder, 'assets', name);
    const bytes = readFileSync(path);
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    writeFileSync(`${path}.br`, brotliCompressSync(bytes));
  }
}

if (!process.argv.includes('--if-stale') || isStale()) {
  const started = Date.now();
  console.log('building Mission Control …');
  try {
    // The generator looks for an engine that it never calls; any executable will do.
    if (newest(join(root, 'prisma', 'schema.prisma')) > oldest(generated)) {
      run(['prisma', 'build', 'index.js'], ['generate'], { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: '1' });
    }
    // Built beside and put in place at once: a system that runs from the old build keeps its files until then.
    const dashboard = buildDashboard(join(fresh, 'dashboard'));
    // Awaited below, after what runs meanwhile: a failure is not lost, and not unhandled until then.
    dashboard.catch(() => undefined);
    run(['typescript', 'bin', 'tsc'], ['-p', 'tsconfig.build.json', '--outDir', fresh]);
    const { buildWorkflowBundle } = await import(pathToFileURL(join(fresh, 'worker', 'bundle.js')).href);
    await buildWorkflowBundle(join(fresh, 'workflow-bundle.js'));
    await dashboard;
    writeFileSync(join(fresh, '.built'), '');
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
    console.log(`built in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  } catch (error) {
    console.error(`${error.stdout ?? ''}${error.stderr ?? ''}`.trim() || error);
    rmSync(fresh, { recursive: true, force: true });
    console.error('the build failed');
    process.exit(1);
  }
}
