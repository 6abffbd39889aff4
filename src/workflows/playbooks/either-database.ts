/** One playbook for SQLite and PostgreSQL: the same promise, kept by a plan, steps and checks of each one's own. */
import type { Json } from '../../domain/healing.ts';
import type { Playbook } from './playbook.ts';

type Part<Params, Facts extends Json, Kind extends 'sqlite' | 'postgres'> = Pick<Playbook<Params, Facts, Kind>, 'plan' | 'steps' | 'verify'>;

/** Facts go back to the part that found them: a resource that changed its kind is another declaration, which is drift. */
export function eitherDatabase<Params, S extends Json, P extends Json>(
  sqlite: Part<Params, S, 'sqlite'>, postgres: Part<Params, P, 'postgres'>,
): Part<Params, S | P, 'sqlite' | 'postgres'> {
  const of = ({ resource }: { resource: { kind: string } }) =>
    (resource.kind === 'sqlite' ? sqlite : postgres) as unknown as Part<Params, S | P, 'sqlite' | 'postgres'>;
  return {
    plan: (context) => of(context).plan(context),
    steps: (input) => of(input).steps(input),
    verify: {
      symptom: (context) => of(context).verify.symptom(context),
      independent: (context) => of(context).verify.independent(context),
      must_not_regress: (context) => of(context).verify.must_not_regress(context),
    },
  };
}
