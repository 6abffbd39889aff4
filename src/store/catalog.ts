/** The metrics catalog: `config/metrics_catalog.yaml` first, what the API defined beside it. */
import { z } from 'zod';
import type { CatalogMetric } from '../domain/metric.ts';
import { fileMetricSchema, metricIdSchema } from '../domain/schema/metric.ts';
import { isProbeMetric } from '../domain/subsystem.ts';
import type { Logger } from '../log.ts';
import type { Database } from './database.ts';
import { findMetric, fromDefinition, listMetrics } from './metrics.ts';
import { probeMetrics } from './probe-metrics.ts';
import { watchConfigFile } from './watched-config.ts';

const catalogSchema = z.strictObject({ metrics: z.record(metricIdSchema, fileMetricSchema) });

export interface Catalog {
  /** Metrics that the file defines: the last usable one that this process has read. */
  fromFile(): Promise<CatalogMetric[]>;
  find(metricId: string): Promise<CatalogMetric | undefined>;
  all(): Promise<CatalogMetric[]>;
  /** Why the file as it is now is not in force, or null. */
  problem(): Promise<string | null>;
}

export function createCatalog(configFolder: string, database: Database, logger?: Logger): Catalog {
  const file = watchConfigFile(configFolder, 'metrics_catalog.yaml', catalogSchema, logger);
  const fromFile = async (): Promise<CatalogMetric[]> =>
    Object.entries((await file.current()).metrics).map(([id, definition]) => fromDefinition(id, definition, 'file'));
  return {
    fromFile,
    async find(metricId) {
      if (isProbeMetric(metricId)) return (await probeMetrics(configFolder)).find((metric) => metric.metric_id === metricId);
      return (await fromFile()).find((metric) => metric.metric_id === metricId) ?? findMetric(database, metricId);
    },
    async all() {
      // A metric that the API defined before the file did is the file's now.
      const own = await fromFile();
      const taken = new Set(own.map((metric) => metric.metric_id));
      const others = (await listMetrics(database)).filter((metric) => !taken.has(metric.metric_id));
      return [...own, ...others, ...await probeMetrics(configFolder)];
    },
    problem: () => file.problem(),
  };
}
