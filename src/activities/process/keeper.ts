/**
 * The keeper: a small process between us and a command. It holds the command's process group and ends it
 * - when its standard input closes, which is what the kernel does to it when the worker dies, however it dies;
 * - when it reads a line `stop` (SIGTERM, then SIGKILL after the grace time);
 * - when the time limit is over.
 * It reports `{exit_code, signal, timed_out, duration_ms}` as one JSON line on file descriptor 3.
 *
 * usage: keeper <timeout ms> <grace ms> <argv…>
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { performance } from 'node:perf_hooks';

const [timeoutText, graceText, command, ...args] = process.argv.slice(2);
const graceMs = Number(graceText);
const started = performance.now();
let timedOut = false;
let ended = false;

function report(result: Record<string, unknown>): void {
  const line = `${JSON.stringify({ timed_out: timedOut, duration_ms: Math.round(performance.now() - started), ...result })}\n`;
  // Nobody left to read it is no reason to fail.
  try { writeSync(3, line); } catch { /* the worker is gone */ }
}

const { MISSION_CONTROL_COMMAND_NODE_OPTIONS: nodeOptions, ...inherited } = process.env;
const env = nodeOptions === undefined ? inherited : { ...inherited, NODE_OPTIONS: nodeOptions };

// Repositories' tests take every core there is; the worker beside them must still be able to answer.
try { setPriority(5); } catch { /* not allowed here: then they share alike */ }

// A group of its own, so that one signal reaches everything the command started.
const child = start();

function start(): ChildProcess {
  try {
    return spawn(command!, args, { env, detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    // Some errors (ENOTDIR, ELOOP) are thrown, others emitted.
    return notStarted(error as NodeJS.ErrnoException);
  }
}

function notStarted(error: NodeJS.ErrnoException): never {
  report({ exit_code: null, signal: null, spawn_error: error.code ?? error.message });
  process.exit(0);
}

function signalGroup(signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try { process.kill(-child.pid, signal); } catch { /* the group is empty */ }
}

function stop(): void {
  if (ended) return;
  signalGroup('SIGTERM');
  setTimeout(() => signalGroup('SIGKILL'), graceMs).unref();
}

function die(): void {
  signalGroup('SIGKILL');
  process.exit(0);
}

child.on('error', notStarted);
child.on('exit', (code, signal) => {
  ended = true;
  // What the command left running in its group dies with it.
  signalGroup('SIGKILL');
  report({ exit_code: code, signal });
  process.exit(0);
});

setTimeout(() => { timedOut = true; stop(); }, Number(timeoutText)).unref();

process.stdin.on('data', (chunk: Buffer) => { if (chunk.includes('stop')) stop(); });
process.stdin.on('end', die);
process.stdin.on('error', die);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, die);
