/** A service that is down: what does not run is started; what runs and has not been ready for long is restarted. */
import { z } from 'zod';
import { restartBudget } from '../../domain/restart-budget.ts';
import type { Json } from '../../domain/healing.ts';
import type { MetricReading } from '../../activities/actions/service-probes.ts';
import type { InstanceStatus } from '../../activities/actions/service/status.ts';
import { decline, definePlaybook, step, type PlaybookContext } from './playbook.ts';
import { isUp, nameOf, stillWell } from './service/well.ts';

const paramsSchema = z.strictObject({});
type Params = z.output<typeof paramsSchema>;

type Facts = {
  /** To be started. */
  down: (string | null)[];
  /** To be restarted, with the process that it is. */
  stuck: { instance: string | null; identity: string | null; uptime_seconds: number | null }[];
  ready: (string | null)[];
  errors: MetricReading | null;
};

async function plan(context: PlaybookContext<Params, 'service'>) {
  const { resource, resource_id: service } = context;
  const { instances: all, min_healthy, manager } = await context.probe('service.status', { service });
  const instances = all.filter((one) => !one.spare);
  // Without command lines: what is in them is the host's business, not the record's.
  const seen: Json = instances.map(({ argv: _argv, ...rest }) => rest);
  // Of a service behind hooks nobody sees more than that it does not answer, and its hook is declared for that.
  const silent = (one: InstanceStatus): boolean => one.state === 'unknown' && manager === 'http';
  const unclear = instances.find((one) => one.state === 'foreign' || (one.state === 'unknown' && !silent(one)));
  if (unclear !== undefined) return decline('refused', unclear.state === 'foreign' ? 'FOREIGN_PROCESS' : 'STATE_UNKNOWN', unclear.reason ?? 'its state is not known', seen);
  if (instances.every(isUp)) return decline('healthy', 'ALL_READY', `every instance of ${service} is ready`, seen);
  const down = instances.filter((one) => one.state === 'stopped');
  const stuck = instances.filter((one) => silent(one) ||
    (one.state === 'running' && !one.ready && (one.uptime_seconds === null || one.uptime_seconds > resource.ready_timeout_seconds)));
  if (down.length + stuck.length === 0) return decline('not_applicable', 'STARTING', `${service} is still within the ${resource.ready_timeout_seconds} s that it may take to become ready`, seen);
  const spent = [...down, ...stuck].find((one) => one.restarts >= restartBudget.max);
  if (spent !== undefined) return decline('refused', 'RESTART_BUDGET', `${nameOf(spent.instance, service)} was restarted ${spent.restarts} times within ${restartBudget.seconds / 60} minutes: it does not stay up`, seen);
  const readyThen = manager === 'process' ? all.filter(isUp).length + down.length : 0;
  if (stuck.length > 0 && readyThen < min_healthy) return decline('refused', 'MIN_HEALTHY', `${readyThen} others would be ready, ${min_healthy} must be before another is taken down`, seen);
  return {
    down: down.map((one) => one.instance), ready: all.filter(isUp).map((one) => one.instance),
    stuck: stuck.map((one) => ({ instance: one.instance, identity: one.identity, uptime_seconds: one.uptime_seconds })),
    errors: await context.probe('service.metric', { service, which: 'error' }),
  };
}

const treated = ({ down, stuck }: Facts): (string | null)[] => [...down, ...stuck.map((one) => one.instance)];

export const restartService = definePlaybook<Params, Facts, 'service'>({
  id: 'restart_service',
  version: 1,
  title: 'Start what is down',
  match: { symptoms: ['service_down'], resources: ['service'] },
  risk: 'medium',
  params: paramsSchema,
  plan,

  steps({ facts, resource, resource_id: service }) {
    const timeout_seconds = Math.ceil((resource.stop_timeout_seconds + resource.ready_timeout_seconds) * 2 + 60);
    return [
      ...facts.down.map((instance) => step({
        id: `start-${nameOf(instance, service)}`, action: 'service.start', timeout_seconds, with: { service, instance },
        effect: `${nameOf(instance, service)}, which does not run, is started; the next step waits until it is ready`,
      })),
      ...facts.stuck.map(({ instance, identity, uptime_seconds }) => step({
        id: `restart-${nameOf(instance, service)}`, action: 'service.restart', timeout_seconds, with: { service, instance, identity },
        effect: `${nameOf(instance, service)} (${identity ?? 'no identity is known'}), which ${uptime_seconds === null ? 'does not answer' : `has run for ${uptime_seconds} s and is not ready`}, is ended and started again`,
      })),
    ];
  },

  verify: {
    async symptom(context) {
      const { instances } = await context.probe('service.status', { service: context.resource_id });
      const notReady = instances.filter((one) => !one.spare && !isUp(one)).map((one) => nameOf(one.instance, context.resource_id));
      return { ok: notReady.length === 0, found: notReady.length === 0 ? 'every instance is ready' : `not ready: ${notReady.join(', ')}`, measured: notReady };
    },

    /** It stays up: the same process at both ends of a short time. Ready once is what a crash loop is, too. */
    async independent(context) {
      const identities = async (): Promise<(string | null)[]> => {
        const { instances } = await context.probe('service.status', { service: context.resource_id });
        return treated(context.facts).map((name) => instances.find((one) => one.instance === name && isUp(one))?.identity ?? null);
      };
      const before = await identities();
      await context.sleep(2_000);
      const after = await identities();
      const ok = before.every((identity, i) => identity !== null && identity === after[i]);
      return { ok, found: ok ? 'what was started is the same process two seconds later' : 'what was started did not stay up', measured: { before, after } };
    },

    must_not_regress: (context) => stillWell(context, context.facts.ready, context.facts.errors),
  },

  escalate: { severity: 'high', next: null, advice: 'It does not stay up. Read its log in the data directory\'s services folder: the reason it ended is there.' },
});
