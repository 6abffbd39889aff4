/** Our own figures: computed from what is recorded, or measured on the worker that was asked. */
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import type { InternalFigure } from '../../domain/metric.ts';
import type { Query } from '../../store/database.ts';
import { endedPerMinute, oldestQueuedSeconds, resolvedShare, stageDurationP95 } from '../../store/mission-figures.ts';

const readingMs = 500;
const loopResolutionMs = 10;

/** @returns undefined when there is nothing to make the figure of: no mission is neither 0 nor 100 % */
export async function measureInternal(query: Query, figure: InternalFigure): Promise<number | undefined> {
  switch (figure) {
    case 'plan_success_rate': return resolvedShare(query, { ended: ['resolved', 'escalated', 'aborted'], hours: 24 });
    case 'missions.success_rate': return resolvedShare(query, { ended: ['resolved', 'escalated'], hours: 1 });
    case 'missions.per_minute': return endedPerMinute(query);
    case 'stage.duration_p95_ms': return stageDurationP95(query);
    case 'queue.oldest_age_seconds': return oldestQueuedSeconds(query);
    case 'infra.cpu_utilization': return cpuUtilization();
    case 'worker.rss_bytes': return process.memoryUsage.rss();
    case 'worker.event_loop_delay_p99_ms': return eventLoopDelay();
  }
}

/** Share of this host's CPU time that was not idle, over half a second. */
async function cpuUtilization(): Promise<number> {
  const before = await cpuTimes();
  await setTimeout(readingMs);
  const after = await cpuTimes();
  const total = after.total - before.total;
  if (total <= 0) throw new Error('the CPU clock of /proc/stat stood still');
  return Math.min(100, Math.max(0, (1 - (after.idle - before.idle) / total) * 100));
}

async function cpuTimes(): Promise<{ idle: number; total: number }> {
  const line = (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0]!;
  // user nice system idle iowait irq softirq steal; guest time is in user time already.
  const times = line.trim().split(/\s+/).slice(1, 9).map(Number);
  if (times.length < 5 || times.some((time) => !Number.isFinite(time))) throw new Error('/proc/stat does not say how busy the CPU is');
  return { idle: times[3]! + times[4]!, total: times.reduce((sum, time) => sum + time, 0) };
}

/** How late this process's timers fire, p99 over half a second. */
async function eventLoopDelay(): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: loopResolutionMs });
  delays.enable();
  await setTimeout(readingMs);
  delays.disable();
  // Each reading holds the time that the timer was set to.
  return Math.max(0, delays.percentile(99) / 1e6 - loopResolutionMs);
}
