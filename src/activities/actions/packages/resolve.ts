/** Asks a fresh process whether packages are found, in which version, and whether they load. */
import { z } from 'zod';
import { findDistributions, findPackages } from '../../../project.ts';
import { defineProbe, refused, resourceOf } from '../action.ts';
import { runQuietly } from './check.ts';
import { placeOf, placeSchema } from './place.ts';

const one = z.strictObject({
  name: z.string().min(1).max(500),
  /** Package folder that it is looked for from; null: the project. */
  location: z.string().max(4_000).regex(/^node_modules\/(?!.*(?:^|\/)\.{1,2}(?:\/|$))/, 'a package folder of the project').nullable().default(null),
});
const answers = z.array(z.strictObject({ name: z.string(), version: z.string().nullable(), resolves: z.boolean(), loads: z.boolean().nullable() }));
export type Resolved = z.output<typeof answers>;

export const resolvePackages = defineProbe({
  input: z.strictObject({
    ...placeSchema, packages: z.array(one).max(1_000),
    /** Also runs what a package does when it is imported: a process for each. */
    load: z.boolean().default(false),
  }),
  async look({ packages, load, ...input }, tools): Promise<Resolved> {
    if (packages.length === 0) return [];
    const place = placeOf(resourceOf(tools, 'packages'), input);
    const ask = async (some: typeof packages): Promise<Resolved> => {
      const question = JSON.stringify({ packages: some, load });
      const argv = place.manager === 'npm' ? ['node', '--experimental-import-meta-resolve', '--no-warnings', findPackages, question]
        : ['python3', '-I', findDistributions, place.live, question];
      const { stdout, timed_out } = await runQuietly(tools, place, { argv, timeout_seconds: 30 });
      // What is loaded may print, too, or end the process: then it has not loaded.
      return timed_out ? [] : answersIn(stdout);
    };
    if (load) {
      const found: Resolved = [];
      for (const one of packages) found.push((await ask([one]))[0] ?? { name: one.name, version: null, resolves: false, loads: false });
      return found;
    }
    const found = await ask(packages);
    if (found.length !== packages.length) throw refused('CANNOT_RESOLVE', 'the process that looks for packages gave no answer');
    return found;
  },
});

function answersIn(stdout: string): Resolved {
  try {
    const parsed = answers.safeParse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
    return parsed.success ? parsed.data : [];
  } catch {
    return [];
  }
}
