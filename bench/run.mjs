/** `npm run bench [-- --quick]`: every bench, one after the other. Each also runs alone: node bench/NAME.mjs [--quick]. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const steps = [[join(folder, '..', 'scripts', 'build.mjs'), '--if-stale'], ...['start', 'resume', 'detection', 'missions', 'landing', 'queue', 'memory', 'metrics', 'windows', 'stream', 'worktrees', 'fork-server', 'sandbox'].map((name) => [join(folder, `${name}.mjs`), ...args])];
for (const step of steps) {
  console.log(`\n$ node ${step.map((part) => part.replace(`${join(folder, '..')}/`, '')).join(' ')}`);
  const { status } = spawnSync(process.execPath, step, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
