#!/usr/bin/env node
/** `npm start`, `npm run demo` and `npm run demo:healing`: is it running already, is it built, then the launcher. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeHome } from './launcher/lock.mjs';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Mission Control needs Node 20.19 or later; this is ${process.versions.node}.`);
  process.exit(1);
}
const unknown = process.argv.slice(2).filter((arg) => arg !== '--demo' && arg !== '--demo-healing');
if (unknown.length > 0) {
  console.error(`unknown argument ${unknown[0]}; usage: npm start, npm run demo, or npm run demo:healing`);
  process.exit(64);
}

const home = resolve(process.env.MISSION_CONTROL_HOME || '.mission-control');
const lock = takeHome(home);
if ('holder' in lock) {
  const address = (() => {
    try { return ` at ${JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')).api_url}`; } catch { return ' (it is still starting)'; }
  })();
  console.error(`Mission Control is running already: launcher pid ${lock.holder.pid}${address}, data directory ${home}.`);
  console.error('Nothing was touched. Stop it with Ctrl-C in its terminal, or choose another MISSION_CONTROL_HOME.');
  process.exit(1);
}
process.on('exit', lock.release);

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
try {
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-stale'], { stdio: 'inherit' });
} catch {
  process.exit(1);
}
const launcher = await import(join(root, 'dist', 'cli', 'launcher', 'main.js'));
await launcher.main({ demo: process.argv.includes('--demo') ? 'landing' : process.argv.includes('--demo-healing') ? 'healing' : 'none' });
