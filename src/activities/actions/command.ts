/** Commands, requests and SQL that a playbook plans in full: what is run is what was approved. */
import { z } from 'zod';
import { rm } from 'node:fs/promises';
import type { ActivityDeps } from '../deps.ts';
import { defineAction, defineProbe, refused } from './action.ts';

const seconds = z.number().positive().max(3_600);

/** Runs an argv that only looks, and says how it ended. */
const checkCommand = defineProbe({
  input: z.strictObject({ argv: z.array(z.string().min(1)).min(1), cwd: z.string(), timeout_seconds: seconds.default(30) }),
  async look({ argv, cwd, timeout_seconds }, { deps, key, signal }) {
    const { exit_code, timed_out, stdout } = await run(deps, { argv, cwd, marker: key, timeout_seconds, signal });
    return { exit_code, timed_out, stdout: stdout.slice(0, 2_000) };
  },
});

async function run(deps: ActivityDeps, request: { argv: string[]; cwd: string; marker: string; timeout_seconds: number; signal: AbortSignal }) {
  const result = await deps.processes.run({ ...request, network: true });
  await rm(result.output_file, { force: true });
  return result;
}

/** Runs an argv. It must say itself how it repeats: `repeatable` commands do no harm when run twice; others are run at most once. */
const runCommand = defineAction({
  input: z.strictObject({
    argv: z.array(z.string().min(1)).min(1), cwd: z.string(), timeout_seconds: seconds.default(60), repeatable: z.boolean().default(false),
  }),
  async guard() { /* the approved plan is the guard: argv and folder are in it */ },
  async before() { return { tried: true }; },
  async done({ repeatable }) {
    // A first try began and nobody knows how it ended.
    if (!repeatable) throw refused('OUTCOME_UNKNOWN', 'the command was begun by a worker that died; it may not be run twice');
    return undefined;
  },
  async act({ argv, cwd, timeout_seconds }, _before, { deps, key, signal }) {
    const { exit_code, timed_out, stdout } = await run(deps, { argv, cwd, marker: key, timeout_seconds, signal });
    if (timed_out) throw refused('COMMAND_FAILED', `${argv[0]} ran into its time limit`);
    if (exit_code !== 0) throw refused('COMMAND_FAILED', `${argv[0]} ended with exit code ${exit_code}`);
    return { exit_code: 0, stdout: stdout.slice(0, 2_000) };
  },
});

export const commandProbes = { 'command.check': checkCommand };
export const commandActions = { 'command.run': runCommand };
