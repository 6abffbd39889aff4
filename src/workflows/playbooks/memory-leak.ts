/**
 * Memory that grows without end: the instances that leak are restarted one at a time, the next only when the last is ready.
 * It looks at the slope, never at the level: much memory is no leak. A leak that came back twice is a matter of code.
 */
import { z } from 'zod';
import { restartBudget } from '../../domain/restart-budget.ts';
import type { Json } from '../../domain/healing.ts';
import type { MetricReading } from '../../activities/actions/service-probes.ts';
import { decline, definePlaybook, step, type PlaybookContext } from './playbook.ts';
import { growthOf, leaks, type Growth } from './service/memory-growth.ts';
import { isUp, nameOf, stillWell } from './service/well.ts';

const paramsSchema = z.strictObject({
  sample_seconds: z.number().positive().max(3_600).default(120),
  samples: z.number().int().min(8).max(600).default(40),
  min_slope_bytes_per_second: z.number().positive().default(50_000),
  /** Share of all pairs of measurements that must grow: 0.5 is noise, 1 is a straight way up. */
  min_growing_share: z.number().min(0.5).max(1).default(0.75),
  /** What an instance may have; otherwise its control group's or Node's own limit counts. */
  limit_bytes: z.number().int().positive().nullable().default(null),
  /** A limit that is further away than this is left to a change of the code. */
  horizon_seconds: z.number().positive().default(7 * 86_400),
  heap_snapshot: z.enum(['if_handled', 'never']).default('if_handled'),
  /** A process that has just started grows before it is warm. */
  warm_up_seconds: z.number().min(0).max(3_600).default(30),
  /** A restarted instance may have this share of the memory it had. */
  max_level_share: z.number().positive().max(1).default(0.95),
});

type Params = z.output<typeof paramsSchema>;

type Facts = {
  leaking: Growth[];
  /** What was ready, and must be afterwards. */
  ready: (string | null)[];
  errors: MetricReading | null;
};

/** From here on a leak is not restarted away any more. */
const recurrencesForCode = 2;

async function plan(context: PlaybookContext<Params, 'service'>) {
  const { params, resource_id: service } = context;
  const { instances, manager, min_healthy } = await context.probe('service.status', { service });
  const foreign = instances.find((one) => one.state === 'foreign');
  if (foreign !== undefined) return decline('refused', 'FOREIGN_PROCESS', foreign.reason ?? 'a pid file names another process');
  const growth = await growthOf(context, params);
  const growing = growth as Json;
  if (growth.length === 0) return decline('refused', 'MEMORY_NOT_MEASURED', `no process of ${service} could be measured from beginning to end`);
  const leaking = growth.filter((one) => leaks(one, params.min_slope_bytes_per_second, params.min_growing_share))
    .sort((a, b) => (a.seconds_to_limit ?? Infinity) - (b.seconds_to_limit ?? Infinity));
  if (leaking.length === 0) {
    return growth.every((one) => one.slope !== null)
      ? decline('not_applicable', 'NO_GROWTH', `no instance of ${service} grows by ${params.min_slope_bytes_per_second} bytes a second, whatever its level`, growing)
      : decline('refused', 'MEMORY_NOT_MEASURED', 'too little was measured to tell growth from noise', growing);
  }
  const recurrences = context.request.details['recurrences'] ?? 0;
  if (typeof recurrences !== 'number' || !Number.isFinite(recurrences)) return decline('refused', 'RECURRENCES_UNKNOWN', 'how often this leak came back is not known', growing);
  if (recurrences >= recurrencesForCode) {
    return decline('mission', 'LEAK_RECURS', `restarted ${recurrences} times within 24 h and leaks again: this needs a change of code, not another restart`, growing);
  }
  const soon = leaking.filter((one) => one.seconds_to_limit === null || one.seconds_to_limit <= params.horizon_seconds);
  if (soon.length === 0) return decline('not_applicable', 'LIMIT_FAR', `it grows, but no limit is reached within ${params.horizon_seconds} s`, growing);
  const ready = instances.filter(isUp).map((one) => one.instance);
  for (const { instance } of soon) {
    const used = instances.find((one) => one.instance === instance)?.restarts ?? 0;
    if (used >= restartBudget.max) return decline('refused', 'RESTART_BUDGET', `${nameOf(instance, service)} was restarted ${used} times within ${restartBudget.seconds / 60} minutes`, growing);
    const others = manager === 'process' ? ready.filter((one) => one !== instance).length : 0;
    if (others < min_healthy) return decline('refused', 'MIN_HEALTHY', `${others} others are ready, ${min_healthy} must be before ${nameOf(instance, service)} is taken down`, growing);
  }
  return { leaking: soon, ready, errors: await context.probe('service.metric', { service, which: 'error' }) };
}

/** The ones that were planned for and still run, each with what it was before. */
async function restarted(context: PlaybookContext<Params, 'service'> & { facts: Facts }) {
  const { instances } = await context.probe('service.status', { service: context.resource_id });
  return context.facts.leaking.map((before) => ({ before, now: instances.find((one) => one.instance === before.instance) }));
}

export const memoryLeak = definePlaybook<Params, Facts, 'service'>({
  id: 'memory_leak',
  version: 1,
  title: 'Restart what leaks memory, one instance at a time',
  match: { symptoms: ['memory_leak'], resources: ['service'] },
  risk: 'medium',
  params: paramsSchema,
  plan,

  steps({ facts, params, resource, resource_id: service }) {
    const seconds = resource.stop_timeout_seconds + resource.ready_timeout_seconds;
    // One snapshot is evidence enough, and it stops the process while it is written.
    const witness = params.heap_snapshot === 'if_handled' ? facts.leaking.find((one) => one.snapshots && one.instance !== null) : undefined;
    return [
      ...(witness === undefined ? [] : [step({
        id: `snapshot-${witness.instance}`, action: 'service.heap_evidence', on_failure: 'next', timeout_seconds: 300,
        with: { service, instance: witness.instance!, identity: witness.identity },
        effect: `${witness.instance} (process ${witness.identity}) gets SIGUSR2, which it handles, and stands still while it writes a heap snapshot; the snapshot holds secrets and stays in the data directory`,
      })]),
      ...facts.leaking.map((one) => step({
        id: `restart-${nameOf(one.instance, service)}`, action: 'service.restart', timeout_seconds: Math.ceil(seconds * 2 + 60),
        with: { service, instance: one.instance, identity: one.identity },
        effect: `${nameOf(one.instance, service)} (${one.identity}), which grows by ${Math.round(one.slope ?? 0)} bytes a second, is drained, ended within ${resource.stop_timeout_seconds} s and started again; the next step waits until it is ready`,
      })),
    ];
  },

  verify: {
    async symptom(context) {
      const { params, facts } = context;
      await context.sleep(params.warm_up_seconds * 1_000);
      const growth = (await growthOf(context, params)).filter((one) => facts.leaking.some((before) => before.instance === one.instance));
      const unknown = growth.length < facts.leaking.length || growth.some((one) => one.slope === null);
      const bad = growth.filter((one) => leaks(one, params.min_slope_bytes_per_second, params.min_growing_share));
      const found = bad.length > 0 ? `still grows: ${bad.map((one) => nameOf(one.instance, context.resource_id)).join(', ')}`
        : unknown ? 'what was restarted could not be measured from beginning to end' : `grows no faster than ${params.min_slope_bytes_per_second} bytes a second`;
      return { ok: bad.length === 0 && !unknown, found, measured: growth };
    },

    async independent(context) {
      const all = (await restarted(context)).map(({ before, now }) => {
        const name = nameOf(before.instance, context.resource_id);
        if (now === undefined || !isUp(now)) return { name, ok: false, found: `${name} is not ready` };
        if (now.identity === before.identity) return { name, ok: false, found: `${name} is still ${before.identity}` };
        const share = now.rss_bytes === null ? null : now.rss_bytes / before.rss_bytes;
        const ok = share !== null && share <= context.params.max_level_share;
        return { name, ok, found: `${name} is another process with ${share === null ? 'an unknown share' : `${Math.round(share * 100)} %`} of the memory it had` };
      });
      return { ok: all.every((one) => one.ok), found: all.map((one) => one.found).join('; '), measured: all };
    },

    must_not_regress: (context) => stillWell(context, context.facts.ready, context.facts.errors),
  },

  escalate: { severity: 'high', next: null, advice: 'A restart does not stop this leak. Compare the heap snapshot in the data directory\'s evidence folder with one of a fresh process, and find what is kept.' },
});
