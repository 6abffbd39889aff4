/** The memory of a service's processes over a short time, and how much they may have. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { trendOf, type Trend } from '../../../domain/trend.ts';
import { argvOf, environmentOf, handles, memoryOf } from './proc.ts';
import type { Service } from './service.ts';
import { statusOf } from './status.ts';

/** Seconds since the epoch, bytes: PSS where the kernel tells it of every sample, else RSS. */
type MemorySample = { at: number; value: number };

export type InstanceMemory = {
  instance: string | null;
  identity: string;
  samples: MemorySample[];
  /** At the last sample. */
  rss_bytes: number;
  trend: { [K in keyof Trend]: number } | null;
  limit_bytes: number | null;
  limit_source: 'cgroup' | '--max-old-space-size' | null;
  /** It writes a heap snapshot on SIGUSR2: it was started to, and it has the handler. */
  snapshots: boolean;
};

const sigusr2 = 12;
export const snapshotOption = '--heapsnapshot-signal=SIGUSR2';

/** @returns only instances that were the same process from the first sample to the last */
export async function memoryDuring(service: Service, seconds: number, samples: number): Promise<InstanceMemory[]> {
  const first = (await statusOf(service)).filter(({ state, pid }) => state === 'running' && pid !== null);
  const taken = first.map(() => [] as { at: number; rss_bytes: number; pss_bytes: number | null }[]);
  const begun = performance.now();
  for (let n = 0; n < samples; n += 1) {
    // On a fixed grid, so that a slow look does not stretch the time.
    const due = begun + n * seconds * 1_000 / Math.max(1, samples - 1);
    await pause(Math.max(0, due - performance.now()), undefined, { signal: service.tools.signal });
    await Promise.all(first.map(async ({ pid }, i) => {
      const memory = await memoryOf(pid!).catch(() => undefined);
      if (memory !== undefined) taken[i]!.push({ at: Date.now() / 1_000, ...memory });
    }));
  }
  const last = await statusOf(service);
  const same = first.map((status, i) => ({ status, all: taken[i]! }))
    .filter(({ status, all }) => all.length === samples && last.some((one) => one.instance === status.instance && one.identity !== null && one.identity === status.identity));
  return Promise.all(same.map(async ({ status, all }) => {
    const pss = all.every((one) => one.pss_bytes !== null);
    const points = all.map(({ at, rss_bytes, pss_bytes }) => ({ at, value: pss ? pss_bytes! : rss_bytes }));
    const trend = trendOf(points);
    return {
      instance: status.instance, identity: status.identity!, samples: points, rss_bytes: all.at(-1)!.rss_bytes, trend: trend === null ? null : { ...trend },
      ...await limitOf(status.pid!), snapshots: await writesSnapshots(status.pid!),
    };
  }));
}

/** The option alone is not enough, and neither is a handler: it may do something else. Without either, SIGUSR2 ends the process. */
export async function writesSnapshots(pid: number): Promise<boolean> {
  const { argv, options } = await optionsOf(pid);
  return [...argv, ...options].includes(snapshotOption) && await handles(pid, sigusr2);
}

async function optionsOf(pid: number): Promise<{ argv: string[]; options: string[] }> {
  return { argv: await argvOf(pid), options: ((await environmentOf(pid)).get('NODE_OPTIONS') ?? '').split(/\s+/) };
}

/** The lower one of what the control group and Node's own option allow. */
async function limitOf(pid: number): Promise<Pick<InstanceMemory, 'limit_bytes' | 'limit_source'>> {
  const { argv, options } = await optionsOf(pid);
  const megabytes = [...argv, ...options].map((option) => /^--max[-_]old[-_]space[-_]size=(\d+)$/.exec(option)?.[1]).find((found) => found !== undefined);
  const heap = megabytes === undefined ? Infinity : Number(megabytes) * 1024 * 1024;
  const group = await cgroupLimit(pid);
  if (group === Infinity && heap === Infinity) return { limit_bytes: null, limit_source: null };
  return group <= heap ? { limit_bytes: group, limit_source: 'cgroup' } : { limit_bytes: heap, limit_source: '--max-old-space-size' };
}

async function cgroupLimit(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const path = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const [unified, memory] = [path(/^0::(\/.*)$/m), path(/^\d+:memory:(\/.*)$/m)];
  const files = [
    ...(unified === undefined ? [] : [`/sys/fs/cgroup${unified}/memory.max`]),
    ...(memory === undefined ? [] : [`/sys/fs/cgroup/memory${memory}/memory.limit_in_bytes`]),
  ];
  const limits = await Promise.all(files.map((file) => readFile(file, 'utf8').then((found) => Number(found.trim()), () => Infinity)));
  // `max`, and the huge number that version 1 has for it, are no limit.
  return Math.min(Infinity, ...limits.filter((limit) => Number.isSafeInteger(limit)));
}
