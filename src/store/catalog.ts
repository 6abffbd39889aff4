/** The metrics catalog: `config/metrics_catalog.yaml` first, what the API defined beside it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { CatalogMetric } from '../domain/metric.ts';
import { metricDefinitionSchema, metricIdSchema } from '../domain/schema/metric.ts';
import type { Database } from './database.ts';
import { findMetric, fromDefinition, listMetrics } from './metrics.ts';

const catalogSchema = z.strictObject({ metrics: z.record(metricIdSchema, metricDefinitionSchema) });

export interface Catalog {
  /** Metrics that the file defines. */
  fromFile(): Promise<CatalogMetric[]>;
  find(metricId: string): Promise<CatalogMetric | undefined>;
  all(): Promise<CatalogMetric[]>;
}

export function createCatalog(configFolder: string, database: Database): Catalog {
  const fromFile = async (): Promise<CatalogMetric[]> => {
    const file = join(configFolder, 'metrics_catalog.yaml');
    const parsed = catalogSchema.safeParse(parse(await readFile(file, 'utf8')));
    if (!parsed.success) {
      const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
      throw new Error(`${file} is not a metrics catalog: ${issues.join('; ')}`);
    }
    return Object.entries(parsed.data.metrics).map(([id, definition]) => fromDefinition(id, definition, 'file'));
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
