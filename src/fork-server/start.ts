/**
 * Starts processes through the fork server (`server.ts`), which is itself started when it is first needed, and again
 * after it died. For processes that are started often: git's, and the keepers of commands.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { forkServerScript } from '../project.ts';
import { socketLine, type Told, type ToServer } from './protocol.ts';

export interface End { code: number | null; signal: NodeJS.Signals | null }

/** Fewer than three descriptors are none: `spawn` would make up the rest. */
interface Sockets {
  3: [Socket, Socket, Socket];
  4: [Socket, Socket, Socket, Socket];
}

export interface Started<N extends keyof Sockets> {
  /** Leads a process group and a session of its own. */
  pid: number;
  /** Our ends of its descriptors, in their order. */
  descriptors: Sockets[N];
  /** @throws ForkServerGone when nobody can know any more how it ended, or whether */
  ended: Promise<End>;
}

export class ForkServerGone extends Error {
  override name = 'ForkServerGone';
}

export interface StartOptions<N extends keyof Sockets> {
  cwd: string;
  /** Its whole environment. */
  env: Record<string, string>;
  /** How many descriptors it has, from 0 on, each a socket to us. */
  descriptors: N;
}

/** A server that says nothing for so long is ended. A process starts in milliseconds; a host that swaps takes seconds. */
const patienceMs = 30_000;

interface Asked {
  started: (pid: number) => void;
  ended: (end: End) => void;
  failed: (error: Error) => void;
}

interface Server {
  process: ChildProcess;
  socketPath: string;
  /** By id: what was asked for and has not ended. */
  asked: Map<string, Asked>;
}

/** One for each process of ours, whoever asks: it stands for `fork`, of which a process has one too. */
let current: Promise<Server> | undefined;

/**
 * @param argv program and arguments; the program is looked for on the PATH of `env`
 * @throws what `spawn` would, with its `code` (ENOENT, EACCES, EMFILE, EAGAIN …): nothing was started; ForkServerGone: it may
 *   have been, by a server that is dead, and is then not ours to hear of
 */
export async function startProcess<N extends keyof Sockets>(argv: readonly string[], options: StartOptions<N>): Promise<Started<N>> {
  const server = await runningServer();
  const id = randomUUID();
  const { pid, ended } = ask(server, id);
  const descriptors: Socket[] = [];
  const patience = whenTooLong(() => server.process.kill('SIGKILL'));
  try {
    for (let number = 0; number < options.descriptors; number += 1) descriptors.push(connect(server.socketPath));
    send(server, { id, argv, ...options });
    await Promise.all(descriptors.map((socket, number) => hello(socket, socketLine.write(id, number))));
    return { pid: await pid, descriptors: descriptors as Sockets[N], ended };
  } catch (error) {
    for (const socket of descriptors) socket.destroy();
    settle(server, id);
    send(server, { forget: id });
    // Where it cannot be reached, it cannot be of use: its folder is gone, or it is dying.
    if (isOurs(error)) throw error;
    server.process.kill('SIGKILL');
    throw new ForkServerGone(`the fork server cannot be reached: ${(error as Error).message}`);
  } finally {
    patience.end();
  }
}

/** What is no fault of the server: the process cannot be started, we have no descriptor left, or it is known to be gone. */
const isOurs = (error: unknown): boolean =>
  error instanceof ForkServerGone || (error as NodeJS.ErrnoException).syscall?.startsWith('spawn') === true
  || isExhausted(error);

const exhausted = ['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'];

/** Whether this host had no free descriptor, process or page. */
export const isExhausted = (error: unknown): boolean => exhausted.includes((error as { code?: string } | null)?.code ?? '');

/** Resolves once nothing more comes from the other end. */
export const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => { if (socket.closed) resolve(); else socket.once('close', () => resolve()); });

/** After standing still ourselves, we hear first what came meanwhile, and judge then. */
function whenTooLong(act: () => void): { end: () => void } {
  let over = false;
  const timer = setTimeout(() => { setImmediate(() => { if (!over) act(); }); }, patienceMs);
  return {
    end: () => {
      over = true;
      clearTimeout(timer);
    },
  };
}

function ask(server: Server, id: string): { pid: Promise<number>; ended: Promise<End> } {
  let started!: Asked['started'];
  let end!: Asked['ended'];
  let notStarted!: Asked['failed'];
  let lost!: Asked['failed'];
  const pid = new Promise<number>((resolve, reject) => { [started, notStarted] = [resolve, reject]; });
  const ended = new Promise<End>((resolve, reject) => { [end, lost] = [resolve, reject]; });
  // Not everybody waits for both.
  pid.catch(() => undefined);
  ended.catch(() => undefined);
  server.asked.set(id, {
    started, ended: end,
    failed(error) {
      notStarted(error);
      lost(error);
    },
  });
  // While somebody waits for an answer, it is a reason to go on running.
  server.process.channel?.ref();
  return { pid, ended };
}

function settle(server: Server, id: string): void {
  server.asked.delete(id);
  if (server.asked.size === 0) server.process.channel?.unref();
}

function send({ process, asked }: Server, message: ToServer): void {
  if (!process.connected) return;
  process.send(message, (error) => {
    if (error !== null && 'id' in message) asked.get(message.id)?.failed(new ForkServerGone(error.message));
  });
}

/** Resolves once the server can know whose socket this is. */
function hello(socket: Socket, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      // From here on its process's start or end tells what happened to it.
      socket.on('error', () => undefined).off('error', reject);
      socket.write(line, () => resolve());
    });
  });
}

function runningServer(): Promise<Server> {
  if (current !== undefined) return current;
  const starting = startServer();
  current = starting;
  const forget = (): void => { if (current === starting) current = undefined; };
  starting.then((server) => server.process.once('exit', forget), forget);
  return starting;
}

async function startServer(): Promise<Server> {
  const child = fork(forkServerScript, [], {
    cwd: '/', env: { TMPDIR: tmpdir() }, detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // It holds next to nothing, and is small so that it is quick.
    execArgv: ['--max-semi-space-size=1'],
  });
  const asked: Server['asked'] = new Map();
  const patience = whenTooLong(() => child.kill('SIGKILL'));
  const socketPath = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new ForkServerGone('the fork server ended before it listened')));
    child.once('message', (told: Extract<Told, { listening: string }>) => resolve(told.listening));
  }).finally(() => patience.end());
  const server = { process: child, socketPath, asked };
  child.on('error', () => undefined);
  child.on('message', (told: Exclude<Told, { listening: string }>) => {
    const { started, ended, failed } = asked.get(told.id) ?? {};
    if ('pid' in told) return started?.(told.pid);
    settle(server, told.id);
    if ('failed' in told) failed?.(Object.assign(new Error(told.failed.message), told.failed));
    else ended?.({ code: told.code, signal: told.signal });
  });
  child.once('exit', () => {
    // A killed one could not.
    void rm(dirname(socketPath), { recursive: true, force: true }).catch(() => undefined);
    for (const { failed } of asked.values()) failed(new ForkServerGone('the fork server ended: what it started goes on, and nobody is told how it ends'));
    asked.clear();
  });
  // Only what was asked for keeps us running.
  child.unref();
  child.channel?.unref();
  return server;
}
