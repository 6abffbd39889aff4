/** Loads the entry point, and reads from its words why it does not load. */
import { open, realpath, rm } from 'node:fs/promises';
import { z } from 'zod';
import { readImportFailure } from '../../../domain/import-failure.ts';
import { defineProbe, resourceOf, type ActionTools } from '../action.ts';
import { placeOf, placeSchema, type Place } from './place.ts';

const tailBytes = 64 * 1024;

export const checkPackages = defineProbe({
  input: z.strictObject({ ...placeSchema, timeout_seconds: z.number().positive().max(600).default(60) }),
  async look({ timeout_seconds, ...input }, tools) {
    const resource = resourceOf(tools, 'packages');
    const place = placeOf(resource, input);
    const { exit_code, timed_out, output } = await runQuietly(tools, place, { argv: resource.check_argv, timeout_seconds });
    const ok = exit_code === 0 && !timed_out;
    const folder = place.manager === 'npm' ? place.project : place.live;
    const roots = [folder, await realpath(folder).catch(() => folder)];
    return { ok, exit_code, timed_out, failure: ok ? null : { ...readImportFailure(place.manager, output, roots) } };
  },
});

export interface Said { exit_code: number | null; timed_out: boolean; stdout: string; truncated: boolean; output: string }

/** Without the network, in the project, with the packages where the project looks for them. Leaves no file of its own. */
export async function runQuietly(
  { deps, key, signal }: ActionTools, place: Place, { argv, timeout_seconds }: { argv: string[]; timeout_seconds: number },
): Promise<Said> {
  const env: Record<string, string> = place.manager === 'pip' ? { PYTHONPATH: place.live, PYTHONDONTWRITEBYTECODE: '1' } : {};
  const { exit_code, timed_out, stdout, truncated, output_file } = await deps.processes.run({
    argv, cwd: place.project, marker: key, timeout_seconds, network: false, signal, env: { ...env, NO_COLOR: '1' },
  });
  try {
    return { exit_code, timed_out, stdout, truncated, output: await tailOf(output_file) };
  } finally {
    await rm(output_file, { force: true });
  }
}

/** The end of a file: what ended a program is said last. */
export async function tailOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, Math.max(0, size - tailBytes));
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}
