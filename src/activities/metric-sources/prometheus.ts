/** An instant query to Prometheus' HTTP API. */
import { z } from 'zod';
import type { EgressPolicy } from '../../domain/egress.ts';
import type { MetricSource } from '../../domain/metric.ts';
import { sha256 } from '../../ledger/canonical.ts';
import { fetchText } from '../egress.ts';
import type { Measured } from './measure.ts';

/** Seconds since the epoch, and the value as text: JSON has no NaN. */
const sampleSchema = z.tuple([z.number(), z.string()]);
const answerSchema = z.union([
  z.object({ status: z.literal('error'), error: z.string() }),
  z.object({
    status: z.literal('success'),
    data: z.union([
      z.object({ resultType: z.literal('vector'), result: z.array(z.object({ value: sampleSchema })) }),
      z.object({ resultType: z.literal('scalar'), result: sampleSchema }),
      z.object({ resultType: z.string(), result: z.unknown() }).transform(({ resultType }) => ({ resultType: 'other' as const, named: resultType })),
    ]),
  }),
]);

type Source = Extract<MetricSource, { kind: 'prometheus' }>;

/**
 * Exactly one sample, or a scalar. Prometheus dates an answer with the time of the query; the sample's own time is asked
 * for beside it, so that a series nobody scrapes any more is seen to be old.
 * @returns undefined when no series matches
 */
export async function queryPrometheus(source: Source, egress: EgressPolicy): Promise<Measured | undefined> {
  const text = await ask(source, source.query, egress);
  const data = dataOf(text);
  switch (data.resultType) {
    case 'scalar': return measured(data.result, data.result[0], text);
    case 'other': throw new Error(`Prometheus answered with a ${data.named}; the query must give one number`);
    case 'vector': {
      const [sample, ...others] = data.result;
      if (sample === undefined) return undefined;
      if (others.length > 0) throw new Error(`Prometheus answered with ${data.result.length} series; the query must give one`);
      return measured(sample.value, await takenAt(source, egress) ?? sample.value[0], text);
    }
  }
}

const measured = ([, value]: z.infer<typeof sampleSchema>, seconds: number, text: string): Measured =>
  ({ value: numberIn(value), at: seconds * 1_000, raw_digest: sha256(text) });

async function takenAt(source: Source, egress: EgressPolicy): Promise<number | undefined> {
  const data = dataOf(await ask(source, `timestamp(${source.query}\n)`, egress));
  return data.resultType === 'vector' && data.result.length === 1 ? Number(data.result[0]!.value[1]) : undefined;
}

const ask = ({ url }: Source, query: string, egress: EgressPolicy): Promise<string> => {
  const target = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
  target.searchParams.set('query', query);
  // 400 bad query, 422 it could not be executed, 503 it took too long: all say why.
  return fetchText(target.href, egress, [200, 400, 422, 503]);
};

function dataOf(text: string) {
  const answer = answerSchema.safeParse(jsonOf(text));
  if (!answer.success) throw new Error('this is no answer of the Prometheus HTTP API');
  if (answer.data.status === 'error') throw new Error(`Prometheus: ${answer.data.error}`);
  return answer.data.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function numberIn(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) throw new Error(`Prometheus measured ${text.slice(0, 50)}, which is not a finite number`);
  return value;
}
