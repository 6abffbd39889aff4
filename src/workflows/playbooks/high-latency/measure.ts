/** How slow it is: the same measurement before anything is done, between the steps, and afterwards. */
import { targetsOf, type Context } from './params.ts';

export type Figures = {
  /** What was measured, for people. */
  source: string;
  /** False: nothing is known, so that nothing may be done about it either. */
  known: boolean;
  /** p95 in milliseconds, or the metric's own unit; null when unknown or when too much failed to have one. */
  latency: number | null;
  target: string;
  met: boolean;
  /** Share of requests that failed, or `error_metric`. Null when neither tells: a service's own error metric is judged by its own target. */
  errors: number | null;
};

export async function measure(context: Context): Promise<Figures> {
  const { params } = context;
  const { database, service } = targetsOf(context);
  const target = `< ${params.target_ms}`;
  const figures = (source: string, latency: number | null, errors: number | null): Figures =>
    ({ source, known: latency !== null || errors !== null, latency, target, met: latency !== null && latency < params.target_ms, errors });

  if (params.url !== null) {
    const { p95_ms, error_rate } = await requests(context, params.url);
    return figures(`p95 of ${params.requests} requests to ${params.url}`, p95_ms, error_rate);
  }
  const errors = params.error_metric === null ? null : await stored(context, params.error_metric);
  if (params.latency_metric !== null) {
    const latency = await stored(context, params.latency_metric);
    return { ...figures(params.latency_metric, latency, errors), known: latency !== null };
  }
  const declared = service === null ? null : await context.probe('service.metric', { service, which: 'latency' });
  if (service !== null && declared !== null) {
    const { metric_id, value, comparator, target, met } = declared;
    return { source: metric_id, known: value !== null, latency: value, target: `${comparator} ${target}`, met: value !== null && met, errors };
  }
  if (database === null) return { source: 'nothing measures its latency: name a url or a latency_metric', known: false, latency: null, target, met: false, errors };
  const { p95_ms, statements } = await context.probe('postgres.latency', { resource: database });
  return figures(`p95 of ${statements} statements in ${database}`, p95_ms, errors);
}

export const requests = (context: Context, url: string) =>
  context.probe('http.latency', { url, requests: context.params.requests, concurrency: context.params.concurrency });

/** The newest value, unless it is too old to count. */
async function stored(context: Context, metric_id: string): Promise<number | null> {
  const { value, age_seconds } = await context.probe('metric.latest', { metric_id });
  return age_seconds !== null && age_seconds <= context.params.max_age_seconds ? value : null;
}

export const inWords = ({ source, latency, target, errors }: Figures): string =>
  `${source}: ${latency === null ? 'no figure' : latency.toFixed(1)}, ${target} is wanted${errors === null ? '' : `, errors ${errors}`}`;
