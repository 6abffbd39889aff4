/** Child processes: started in groups of their own, restarted when they die, stopped in order. */
import type { ChildProcess } from 'node:child_process';
import { identityOf, signal, type ProcessIdentity } from '../../processes.mjs';

export type ChildName = 'postgres' | 'temporal' | 'worker' | 'api';

export interface ChildSpec {
  name: ChildName;
  spawn(): ChildProcess;
  /** Asks the child to end; the default is SIGTERM. */
  stop?(): Promise<void>;
  /** After this long it is killed. */
  stopWithinMs: number;
}

export interface Supervised {
  readonly name: ChildName;
  readonly identity: ProcessIdentity;
  stop(): Promise<void>;
  kill(): void;
}

const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** A child that ran this long was well: its next death starts with a short pause again. */
const wellAfterMs = 20_000;

/** @param changed called after every (re)start and death, so that files can name the present pids */
export function supervise(spec: ChildSpec, say: (line: string) => void, changed: () => void): Supervised {
  let stopping = false;
  let pause = firstPauseMs;
  let child: ChildProcess;
  let identity: ProcessIdentity;
  let ended: Promise<void>;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    const startedAt = Date.now();
    child = spec.spawn();
    identity = identityOf(child.pid ?? 0);
    ended = new Promise((resolve) => {
      const done = (why: string): void => {
        resolve();
        if (stopping) return;
        if (Date.now() - startedAt > wellAfterMs) pause = firstPauseMs;
        say(`${spec.name} ended (${why}); starting it again`);
        changed();
        timer = setTimeout(() => { if (!stopping) start(); }, pause);
        pause = Math.min(pause * 2, longestPauseMs);
      };
      child.once('exit', (code, name) => done(name ?? `exit code ${code}`));
      child.once('error', (error) => done(error.message));
    });
    changed();
  }
  start();

  return {
    name: spec.name,
    get identity() { return identity; },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      if (child.exitCode !== null || child.signalCode !== null) return;
      if (spec.stop === undefined) child.kill('SIGTERM');
      else await spec.stop().catch((error: Error) => say(`${spec.name}: ${error.message.split('\n')[0]}`));
      let late: NodeJS.Timeout | undefined;
      const overdue = new Promise<'overdue'>((resolve) => { late = setTimeout(() => resolve('overdue'), spec.stopWithinMs); });
      if (await Promise.race([ended, overdue]) === 'overdue') {
        say(`${spec.name} did not stop within ${spec.stopWithinMs / 1_000} s; killing it`);
        signal(identity, 'SIGKILL');
        await ended;
      }
      clearTimeout(late);
    },
    kill() {
      stopping = true;
      clearTimeout(timer);
      signal(identity, 'SIGKILL');
    },
  };
}
