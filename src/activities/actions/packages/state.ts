/** Everything that can be said about a project's packages without changing anything. */
import { z } from 'zod';
import type { PackageState } from '../../../domain/import-cure.ts';
import { sha256 } from '../../../ledger/canonical.ts';
import { defineProbe, resourceOf } from '../action.ts';
import { npmFindings } from './npm-state.ts';
import { pipFindings } from './pip-state.ts';
import { folderNameOf, identityOf, placeOf, placeSchema } from './place.ts';
import { fileOf, truthOf } from './truth.ts';

export const revisionSchema = z.string().max(200).regex(/^[A-Za-z0-9][\w./-]*$/, 'a branch, tag or commit');
export const omitSchema = z.array(z.enum(['dev', 'optional', 'peer'])).max(3).default([]);

export const statePackages = defineProbe({
  input: z.strictObject({
    ...placeSchema,
    /** What names the commit whose lock file counts; null: the files as they lie there. */
    revision: revisionSchema.nullable(),
    name: z.string().max(500).nullable().default(null), location: z.string().max(4_000).nullable().default(null),
    modules: z.record(z.string(), z.string()).default({}), omit: omitSchema,
  }),
  async look({ revision, name, location, modules, omit, ...input }, tools): Promise<PackageState> {
    const { rebuild_allowed } = resourceOf(tools, 'packages');
    const place = placeOf(resourceOf(tools, 'packages'), input);
    const truth = await truthOf(tools.deps.git, place, revision);
    const working = await fileOf(place.project, place.lock);
    const known = typeof truth === 'string' ? null : truth;
    const findings = place.manager === 'npm' ? await npmFindings(tools, place, known, { name, location }, { omit, rebuild_allowed })
      : await pipFindings(place, known, { name, location }, modules);
    const live = await identityOf(place.live);
    const hashes = known === null ? null : { commit: known.commit, manifest_sha256: sha256(known.manifest), lock_sha256: sha256(known.lock) };
    return {
      manager: place.manager, lock_file: place.lock, lock_sha256: working === null ? null : sha256(working), truth: hashes,
      no_truth: typeof truth === 'string' ? truth : null, live, folder: folderNameOf(tools.mission_id, [live, hashes?.lock_sha256 ?? null]), ...findings,
    };
  },
});
