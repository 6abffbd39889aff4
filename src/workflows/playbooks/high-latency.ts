/** Slowness: measured first, then the cheapest action whose precondition holds, and the next only while it is still slow. */
import type { Check } from '../../domain/healing.ts';
import { definePlaybook, type VerifyContext } from './playbook.ts';
import { inWords, measure, requests } from './high-latency/measure.ts';
import { paramsSchema, targetsOf, type Params } from './high-latency/params.ts';
import { plan, type Facts } from './high-latency/plan.ts';
import { steps } from './high-latency/steps.ts';
import { stillWell } from './service/well.ts';

type Verifying = VerifyContext<Params, Facts, 'postgres' | 'service'>;

/** Everything that can be asked beside the measurement itself: another address, the database's own speed and locks, the instances. */
async function besides(context: Verifying): Promise<Check[]> {
  const { params, facts } = context;
  const { database } = targetsOf(context);
  const checks: Check[] = [];
  if (params.independent_url !== null) {
    const other = await requests(context, params.independent_url);
    checks.push({ ok: other.p95_ms !== null && other.p95_ms < params.target_ms, found: `p95 of ${params.independent_url} is ${other.p95_ms?.toFixed(1) ?? 'not known'} ms`, measured: other });
  }
  if (database !== null) {
    const { roots } = await context.probe('postgres.blockers', { resource: database });
    const still = roots.filter(({ pid, backend_start }) => facts.stuck.blockers.some((one) => one.pid === pid && one.backend_start === backend_start));
    const answer = await context.probe('postgres.latency', { resource: database });
    checks.push({
      ok: still.length === 0 && answer.p95_ms < params.target_ms,
      found: `${still.length} of the blockers still block; p95 of a statement in ${database} is ${answer.p95_ms.toFixed(1)} ms`, measured: { still, answer },
    });
  }
  if (facts.service !== null) checks.push(await stillWell({ ...context, resource_id: facts.service.id }, facts.service.ready, facts.service.errors));
  return checks;
}

const together = (checks: readonly Check[]): Check => ({
  ok: checks.length > 0 && checks.every(({ ok }) => ok), found: checks.map(({ found }) => found).join('; '), measured: checks.map(({ measured }) => measured),
});

export const highLatency = definePlaybook<Params, Facts, 'postgres' | 'service'>({
  id: 'high_latency',
  version: 1,
  title: 'Make it fast again',
  match: { symptoms: ['high_latency'], resources: ['postgres', 'service'] },
  risk: 'medium',
  params: paramsSchema,
  plan,
  steps,

  verify: {
    async symptom(context) {
      const now = await measure(context);
      return { ok: now.met, found: `${inWords(now)}; it was ${context.facts.before.latency?.toFixed(1) ?? 'beyond measure'}`, measured: now };
    },

    async independent(context) { return together(await besides(context)); },

    /** Fast failures are no healing. Where nothing measures errors, the database must at least take writes. */
    async must_not_regress(context) {
      const { before } = context.facts;
      if (before.errors !== null) {
        const { errors } = await measure(context);
        return { ok: errors !== null && errors <= before.errors, found: `errors ${errors ?? 'not known'}, ${before.errors} before`, measured: { errors } };
      }
      const { service } = context.facts;
      if (service !== null && service.errors !== null) return stillWell({ ...context, resource_id: service.id }, service.ready, service.errors);
      const { database } = targetsOf(context);
      if (database === null) return { ok: false, found: 'nothing measures errors', measured: null };
      const write = await context.probe('postgres.write_check', { resource: database });
      return { ok: write.writable, found: write.writable ? 'the database takes writes' : `no writes: ${write.reason}`, measured: write };
    },
  },

  escalate: {
    severity: 'high', next: null,
    advice: 'Nothing that can be taken back helped. Look at the slowest statements (pg_stat_statements, EXPLAIN) and at what changed last: this is likely a matter of code or capacity.',
  },
});
