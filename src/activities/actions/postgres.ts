/** What playbooks may ask a watched PostgreSQL, and what they may do to it. */
import { latency, ping, writeCheck } from './postgres/answers.ts';
import { cancelBackend, terminateBackend } from './postgres/backends.ts';
import { blockersProbe } from './postgres/blockers.ts';
import { corruptionProbe } from './postgres/corruption.ts';
import { indexState, reindex } from './postgres/reindex.ts';
import { analyze, tableStats } from './postgres/statistics.ts';

export const postgresProbes = {
  'postgres.ping': ping,
  'postgres.latency': latency,
  'postgres.write_check': writeCheck,
  'postgres.blockers': blockersProbe,
  'postgres.table_stats': tableStats,
  'postgres.corruption': corruptionProbe,
  'postgres.index_state': indexState,
};

export const postgresActions = {
  'postgres.cancel_backend': cancelBackend,
  'postgres.terminate_backend': terminateBackend,
  'postgres.analyze': analyze,
  'postgres.reindex': reindex,
};
