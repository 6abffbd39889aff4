/** The rungs of a locked database: wait, ask the owner, end the named holder, empty the WAL. Nothing here deletes a file. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { blockersOf, pinsOf, type LockHolder } from '../../domain/sqlite.ts';
import { isAlive, type ProcessIdentity } from '../../processes.mjs';
import { readPolicy } from '../../store/policy.ts';
import { postJson } from '../egress.ts';
import { defineAction, drift, refused, type ActionTools } from './action.ts';
import { describeProcess, handlesSignal, lockHolders } from './sqlite/holders.ts';
import { planned, runTool } from './sqlite/tool.ts';

const path = z.string().min(1);
const seconds = z.number().min(0).max(600);
const processFields = { pid: z.number().int().min(2), started: z.string().min(1) };
/** Signals that a process may be asked with. Their default is to kill, so each is sent only where a handler waits for it. */
const signalNumbers = { SIGHUP: 1, SIGUSR1: 10, SIGUSR2: 12, SIGWINCH: 28 } as const;
const lookMs = 100;

const inTheWay = (holders: readonly LockHolder[]): LockHolder[] => [...blockersOf(holders), ...pinsOf(holders)];
const holds = (holders: readonly LockHolder[], { pid, started }: ProcessIdentity): boolean =>
  inTheWay(holders).some((holder) => holder.pid === pid && holder.started === started);

/** Looks until it is so or the time is over. */
async function within(secondsLeft: number, signal: AbortSignal, isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const until = Date.now() + secondsLeft * 1_000;
  for (;;) {
    if (await isSo()) return true;
    if (Date.now() >= until) return false;
    await delay(lookMs, undefined, { signal });
  }
}

/** The holders that were planned with get some time to end by themselves. */
const waitForLock = defineAction({
  input: z.strictObject({ path, holders: z.array(z.strictObject(processFields)).min(1), seconds }),
  async guard(input, tools) { await planned(tools, input.path); },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, { signal }) {
    const free = await within(input.seconds, signal, async () => {
      const now = await lockHolders(input.path);
      return input.holders.every((holder) => !holds(now, holder));
    });
    if (!free) throw refused('STILL_LOCKED', `${input.path} is still locked after ${input.seconds} s`);
    return { freed: true };
  },
});

/** @throws drift when the pid is another process now, or no longer holds what it held */
async function sameHolder(input: ProcessIdentity & { path: string; executable: string }, tools: ActionTools): Promise<void> {
  await planned(tools, input.path);
  if (!isAlive(input)) throw drift(`process ${input.pid} is gone`);
  const { executable } = await describeProcess(input.pid);
  if (executable !== input.executable) throw drift(`process ${input.pid} is ${executable ?? 'unknown'} now, not ${input.executable}`);
  if (!holds(await lockHolders(input.path), input)) throw drift(`process ${input.pid} no longer holds ${input.path}`);
}

const holder = { path, ...processFields, executable: z.string().min(1), argv: z.array(z.string()).default([]) };

/** Asks by a signal that the process handles, or by its own endpoint. Asking twice asks the same. */
const askOwner = defineAction({
  input: z.strictObject({
    ...holder, seconds, signal: z.enum(['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH']).nullable(), release_url: z.url({ protocol: /^https?$/ }).nullable(),
  }).refine((input) => input.signal !== null || input.release_url !== null, 'says neither a signal nor a URL to ask by'),
  async guard(input, tools) {
    await sameHolder(input, tools);
    if (input.signal !== null && !await handlesSignal(input.pid, signalNumbers[input.signal])) {
      throw refused('SIGNAL_NOT_HANDLED', `process ${input.pid} has no handler for ${input.signal}, which would end it`);
    }
  },
  async before() { return null; },
  async done(input) {
    return holds(await lockHolders(input.path), input) ? undefined : { released: true };
  },
  async act(input, _before, { deps, signal }) {
    if (input.release_url !== null) {
      const { egress } = await readPolicy(deps.config.configFolder);
      await postJson(input.release_url, egress, JSON.stringify({ path: input.path, pid: input.pid }), {})
        .catch((error: Error) => { throw refused('ASK_FAILED', `${input.release_url} ${error.message}`); });
    }
    if (input.signal !== null) process.kill(input.pid, input.signal);
    if (!await within(input.seconds, signal, async () => !holds(await lockHolders(input.path), input))) {
      throw refused('STILL_LOCKED', `process ${input.pid} was asked and still holds ${input.path} after ${input.seconds} s`);
    }
    return { released: true };
  },
});

/** Ends one process, known by pid, start time and program: SIGTERM, deadline, SIGKILL. Its children are not ours to end. */
const terminateHolder = defineAction({
  input: z.strictObject({ ...holder, deadline_seconds: seconds }),
  async guard(input, tools) {
    const { resource } = await planned(tools, input.path);
    if (!resource.allow_terminate.includes(input.executable)) {
      throw refused('HOLDER_NOT_ALLOWED', `${input.executable} (pid ${input.pid}) is not in allow_terminate of ${tools.resource_id}`);
    }
    if (input.pid === process.pid || input.pid === process.ppid) throw refused('HOLDER_NOT_ALLOWED', 'this is our own process');
    await sameHolder(input, tools);
  },
  async before() { return null; },
  async done(input) { return isAlive(input) ? undefined : { terminated: true, by: 'an earlier try' }; },
  async act(input, _before, { signal }) {
    const gone = (): boolean => !isAlive(input);
    send(input, 'SIGTERM');
    if (await within(input.deadline_seconds, signal, gone)) return { terminated: true, by: 'SIGTERM' };
    send(input, 'SIGKILL');
    if (await within(10, signal, gone)) return { terminated: true, by: 'SIGKILL' };
    throw refused('HOLDER_SURVIVES', `process ${input.pid} survives SIGKILL`);
  },
});

function send(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw refused('HOLDER_NOT_OURS', `process ${identity.pid} may not be signalled: ${(error as Error).message}`);
  }
}

/** Moves the WAL into the database and empties it. Its answer tells, not its end: a reader may have held it up. */
const checkpoint = defineAction({
  input: z.strictObject({ path, busy_timeout_ms: z.number().int().min(0).max(60_000).default(5_000) }),
  async guard(input, tools) { await planned(tools, input.path); },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const result = await runTool(tools, 'checkpoint', input, input.busy_timeout_ms / 1_000 + 120);
    if (result.busy) throw refused('CHECKPOINT_BUSY', `a reader or writer keeps the WAL of ${input.path}`);
    return result;
  },
});

export const sqliteLockActions = {
  'sqlite.wait_for_lock': waitForLock, 'sqlite.ask_owner': askOwner, 'sqlite.terminate_holder': terminateHolder, 'sqlite.checkpoint': checkpoint,
};
