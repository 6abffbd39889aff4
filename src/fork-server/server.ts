/**
 * The fork server: a small process that starts processes for a big one. To start another, the kernel copies a process's
 * page tables; a worker of some hundred megabytes stands still for that, each time longer than most gits run.
 *
 * It lives as long as the channel to its parent. What it started goes on without it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { socketLine, type Told, type ToServer } from './protocol.ts';

/** Of a process that is still to be started: what is there of it. */
interface Due { order?: Extract<ToServer, { argv: unknown }>; descriptors: Socket[] }
const due = new Map<string, Due>();

const tell = (told: Told): void => { process.send?.(told, undefined, undefined, () => undefined); };

function dueOf(id: string): Due {
  const known = due.get(id) ?? { descriptors: [] };
  due.set(id, known);
  return known;
}

function startWhenComplete(id: string): void {
  const { order, descriptors } = dueOf(id);
  if (order === undefined || Object.keys(descriptors).length < order.descriptors) return;
  due.delete(id);
  const failed = ({ message, code, syscall, path }: NodeJS.ErrnoException): void => tell({ id, failed: { message, code, syscall, path } });
  try {
    const child = start(order.argv, order, descriptors);
    child.on('error', failed);
    child.on('exit', (code, signal) => tell({ id, code, signal }));
    if (child.pid !== undefined) tell({ id, pid: child.pid });
  } catch (error) {
    // Some errors (ENOTDIR, ELOOP) are thrown, others emitted.
    failed(error as NodeJS.ErrnoException);
  } finally {
    // The process has them now: when it closes them, nobody else holds them open.
    for (const socket of descriptors) socket.destroy();
  }
}

/** In a session of its own: a signal to its group reaches all that it starts, and none that a terminal sends reaches it. */
const start = ([program, ...args]: readonly string[], { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv }, stdio: Socket[]): ChildProcess =>
  spawn(program!, args, { cwd, env, detached: true, stdio });

const server = createServer((socket) => {
  let line = '';
  socket.on('error', () => undefined);
  socket.on('data', function read(chunk: Buffer) {
    line += chunk.toString('latin1');
    const named = socketLine.read(line);
    if (named === 'more') return;
    // Nothing else is sent before the process has it.
    socket.off('data', read).pause();
    if (named === null) return void socket.destroy();
    dueOf(named.id).descriptors[named.descriptor] = socket;
    startWhenComplete(named.id);
  });
});

process.on('message', (message: ToServer) => {
  if ('argv' in message) {
    dueOf(message.id).order = message;
    return startWhenComplete(message.id);
  }
  for (const socket of due.get(message.forget)?.descriptors ?? []) socket?.destroy();
  due.delete(message.forget);
});

// Nobody else's: who may connect here may take our descriptors away. A socket's path has at most 107 bytes.
const folder = mkdtempSync(join(tmpdir().length > 60 ? '/tmp' : resolve(tmpdir()), 'mission-control-fork-'));
const socketPath = join(folder, 'socket');
function leave(): void {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}
// However the parent ended, also before we came to listen for it.
process.on('disconnect', leave);
if (!process.connected) leave();
// The parent decides when this ends.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
// One connection that cannot be taken is its owner's trouble; without any, we are of no use.
server.on('error', (error) => { if (!server.listening) throw error; });
server.listen({ path: socketPath, backlog: 4_096 }, () => tell({ listening: socketPath }));
