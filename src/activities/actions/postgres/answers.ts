/** Whether a database answers, how fast, and whether it takes writes. */
import { z } from 'zod';
import { aggregate } from '../../../domain/aggregate.ts';
import { defineProbe } from '../action.ts';
import { inSession, postgresOf, sqlState, type SessionLimits } from './connection.ts';

const limits: SessionLimits = { mode: 'read_only', statement_ms: 5_000 };
const resource = z.string().optional();

/** A new connection and one statement, as a client without a pool sees it. */
export const ping = defineProbe({
  input: z.strictObject({ resource }),
  async look({ resource }, tools) {
    const began = performance.now();
    return inSession(await postgresOf(tools, resource), limits, tools.signal, async (query) => {
      const [row] = await query<{ version: number }>("SELECT current_setting('server_version_num')::int AS version");
      return { latency_ms: performance.now() - began, version: row!.version };
    });
  },
});

/** The cheapest statement there is, many times on one connection: what is slow here is the server, not a query. */
export const latency = defineProbe({
  input: z.strictObject({ resource, statements: z.number().int().min(5).max(1_000).default(50) }),
  async look({ resource, statements }, tools) {
    return inSession(await postgresOf(tools, resource), limits, tools.signal, async (query) => {
      const samples: { value: number; at: number }[] = [];
      for (let n = 0; n < statements; n += 1) {
        const began = performance.now();
        await query('SELECT 1');
        samples.push({ value: performance.now() - began, at: n });
      }
      return { statements, p50_ms: aggregate('p50', samples)!, p95_ms: aggregate('p95', samples)! };
    });
  },
});

/** A transaction with an id of its own writes a temporary row and is taken back. A standby, a full disk or lost rights show here. */
export const writeCheck = defineProbe({
  input: z.strictObject({ resource }),
  async look({ resource }, tools) {
    return inSession(await postgresOf(tools, resource), { ...limits, mode: 'read_write' }, tools.signal, async (query) => {
      const began = performance.now();
      try {
        await query('BEGIN');
        await query('CREATE TEMPORARY TABLE mission_control_write_check (value int) ON COMMIT DROP');
        await query('INSERT INTO pg_temp.mission_control_write_check VALUES (1)');
        await query('ROLLBACK');
        return { writable: true, reason: null, latency_ms: performance.now() - began };
      } catch (error) {
        const state = sqlState(error);
        // Without a SQLSTATE it was not the server that refused: nothing is known about writes then.
        if (state === undefined) throw error;
        return { writable: false, reason: `SQLSTATE ${state}`, latency_ms: performance.now() - began };
      }
    });
  },
});
