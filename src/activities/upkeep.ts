/** Work that keeps the store in shape, run by schedules. */
import { maintainMetrics, type MetricUpkeep } from '../store/metric-maintenance.ts';
import type { ActivityDeps } from './deps.ts';

export const upkeepActivities = ({ database, logger }: ActivityDeps) => ({
  /** Partitions, roll-ups and retention of the metrics' samples. Safe to repeat, and to run twice at once. */
  async maintainMetrics(): Promise<MetricUpkeep> {
    const done = await maintainMetrics(database.query, new Date());
    logger.info({ event: 'metrics.maintained', ...done });
    return done;
  },
});
