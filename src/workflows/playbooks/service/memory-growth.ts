/** How the memory of a service's instances grows, measured in pieces that a worker's death can only cost one of. */
import type { InstanceMemory } from '../../../activities/actions/service/memory.ts';
import { secondsToLimit, trendOf, type Trend } from '../../../domain/trend.ts';
import type { PlaybookContext } from '../playbook.ts';

/** One look lasts at most this long: it is repeated whole when its worker dies. */
const longestLookSeconds = 20;

export type Growth = {
  instance: string | null;
  identity: string;
  /** Null: not known. */
  slope: number | null;
  growing_share: number | null;
  level_bytes: number | null;
  rss_bytes: number;
  limit_bytes: number | null;
  limit_source: string | null;
  seconds_to_limit: number | null;
  snapshots: boolean;
};

export interface GrowthParams {
  sample_seconds: number;
  samples: number;
  limit_bytes: number | null;
}

/** Only what was the same process all the time has a trend. */
export async function growthOf(context: Pick<PlaybookContext<unknown, 'service'>, 'resource_id' | 'probe'>, params: GrowthParams): Promise<Growth[]> {
  const looks = Math.ceil(params.sample_seconds / longestLookSeconds);
  const all: InstanceMemory[] = [];
  for (let n = 0; n < looks; n += 1) {
    const { instances } = await context.probe('service.memory', {
      service: context.resource_id, seconds: params.sample_seconds / looks, samples: Math.ceil(params.samples / looks),
    });
    all.push(...instances);
  }
  const newest = new Map(all.map((one) => [one.instance, one]));
  return [...newest.values()].map(({ instance, identity, snapshots, rss_bytes, ...last }) => {
    const pieces = all.filter((one) => one.instance === instance && one.identity === identity);
    const points = pieces.flatMap((one) => one.samples);
    const trend: Trend | null = pieces.length === looks ? trendOf(points) : null;
    const limited = params.limit_bytes === null ? last : { limit_bytes: params.limit_bytes, limit_source: 'declared' };
    const level = points.at(-1)?.value ?? null;
    return {
      instance, identity, snapshots, rss_bytes, slope: trend?.slope ?? null, growing_share: trend?.growing_share ?? null, level_bytes: level,
      limit_bytes: limited.limit_bytes, limit_source: limited.limit_source,
      seconds_to_limit: trend === null || level === null || limited.limit_bytes === null ? null : secondsToLimit(level, trend.slope, limited.limit_bytes),
    };
  });
}

/** Grows faster than tolerated, and steadily. What has no trend is not known to leak, and not known to be well either. */
export const leaks = ({ slope, growing_share }: Pick<Growth, 'slope' | 'growing_share'>, slowest: number, steady: number): boolean =>
  slope !== null && growing_share !== null && slope >= slowest && growing_share >= steady;
