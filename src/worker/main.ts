/** Process: the worker. */
import { readFile } from 'node:fs/promises';
import { DefaultLogger, Runtime, type LogLevel } from '@temporalio/worker';
import { readConfig } from '../config.ts';
import { openHome } from '../home.ts';
import { createLogger } from '../log.ts';
import { workflowBundle } from '../project.ts';
import { startWorker } from './worker.ts';

const logger = createLogger('worker');
const config = readConfig();
if (config.databaseUrl === undefined) throw new Error('DATABASE_URL is not set; `npm start` provides an embedded PostgreSQL');
await openHome(config.home);

const levels: Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'> =
  { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' };
Runtime.install({
  logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
    logger[levels[level]]({ event: 'temporal.sdk', ...meta }, message);
  }),
  shutdownSignals: [],
});

const code = await readFile(workflowBundle, 'utf8');
const worker = await startWorker(config, config.databaseUrl, { code }, logger);
logger.info({ event: 'worker.ready' });
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => worker.stop());
await worker.done;
logger.info({ event: 'worker.stopped' });
process.exit(0);
