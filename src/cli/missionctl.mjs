#!/usr/bin/env node
/** `missionctl`: is it built, then the tool. `start` and `demo` go straight to the launcher, which looks first and builds then. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const [command, ...rest] = process.argv.slice(2);

if ((command === 'start' || command === 'demo') && rest.length === 0) {
  process.argv.splice(2, process.argv.length, ...(command === 'demo' ? ['--demo'] : []));
  await import('./start.mjs');
} else {
  // Its words go to standard error: standard output is the command's own.
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-stale'], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(1);
  await import(pathToFileURL(join(root, 'dist', 'cli', 'missionctl', 'main.js')).href);
}
