/** The metrics catalog: `config/metrics_catalog.yaml` first, what the API defined beside it. */
import { z } from 'zod';
import type { CatalogMetric } from '../domain/metric.ts';
import { fileMetricSchema, metricIdSchema } from '../domain/schema/metric.ts';
import { readConfigFile } from './config-file.ts';
import type { Database } from './database.ts';
import { findMetric, fromDefinition, listMetrics } from './metrics.ts';

const catalogSchema = z.strictObject({ metrics: z.record(metricIdSchema, fileMetricSchema) });

export interface Catalog {
  /** Metrics that the file defines. */
  fromFile(): Promise<CatalogMetric[]>;
  find(metricId: string): Promise<CatalogMetric | undefined>;
  all(): Promise<CatalogMetric[]>;
}

export function createCatalog(configFolder: string, database: Database): Catalog {
  const fromFile = async (): Promise<CatalogMetric[]> => {
    const { metrics } = await readConfigFile(configFolder, 'metrics_catalog.yaml', catalogSchema);
    return Object.entries(metrics).map(([id, definition]) => fromDefinition(id, definition, 'file'));
  };
  return {
    fromFile,
    async find(metricId) {
      return (await fromFile()).find((metric) => metric.metric_id === metricId) ?? findMetric(database, metricId);
    },
    async all() {
      return [...await fromFile(), ...await listMetrics(database)];
    },
  };
}
