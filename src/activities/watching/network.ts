/** Probes over the network: HTTP, TCP, PostgreSQL, Temporal. */
import { connect } from 'node:net';
import pg from 'pg';
import type { Client } from '@temporalio/client';
import type { EgressPolicy } from '../../domain/egress.ts';
import type { Probe } from '../../domain/subsystem.ts';
import { fetchStatus, guardedLookup, UrlForbidden } from '../egress.ts';
import { degraded, failing, reasonOf, unknown, well, type Found } from './reading.ts';

type Kind<K extends Probe['kind']> = Extract<Probe, { kind: K }>;

/** A forbidden address was not asked, so nothing is known of it. */
const refusedOrFailing = (error: unknown): Found =>
  (error instanceof UrlForbidden ? unknown(reasonOf(error)) : failing(reasonOf(error)));

export async function http(probe: Kind<'http'>, egress: EgressPolicy): Promise<Found> {
  const started = performance.now();
  try {
    const status = await fetchStatus(probe.url, egress, probe.timeout_seconds * 1_000);
    const took = Math.round(performance.now() - started);
    if (status !== probe.expect_status) return failing(`answered ${status}, not ${probe.expect_status}`, null, took);
    if (probe.degraded_ms !== undefined && took > probe.degraded_ms) return degraded(`answered after ${took} ms, more than ${probe.degraded_ms}`, took);
    return well(took);
  } catch (error) {
    if ((error as Error).name === 'TimeoutError' || (error as Error).name === 'AbortError') return failing(`no answer within ${probe.timeout_seconds} s`);
    return refusedOrFailing(error);
  }
}

export async function tcp(probe: Kind<'tcp'>, egress: EgressPolicy): Promise<Found> {
  try {
    const { check, lookup } = guardedLookup(probe.host, String(probe.port), egress);
    check(probe.host);
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host: probe.host, port: probe.port, lookup });
      socket.setTimeout(probe.timeout_seconds * 1_000, () => socket.destroy(new Error(`no connection within ${probe.timeout_seconds} s`)));
      socket.once('error', reject);
      socket.once('connect', () => { socket.destroy(); resolve(); });
    });
    return well();
  } catch (error) {
    return refusedOrFailing(error);
  }
}

export async function postgres(probe: Kind<'postgres'>): Promise<Found> {
  const url = process.env[probe.url_env];
  if (url === undefined || url === '') return unknown(`${probe.url_env} is not set on this worker`);
  const limit = probe.timeout_seconds * 1_000;
  const client = new pg.Client({
    connectionString: url, connectionTimeoutMillis: limit, query_timeout: limit, statement_timeout: limit, application_name: 'mission-control-watch',
  });
  // Without a listener, a connection that breaks between two statements would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return well();
  } catch (error) {
    // By its code alone: messages of a failed connection may hold parts of its URL.
    return failing(`cannot be asked: ${(error as { code?: string }).code ?? `no answer within ${probe.timeout_seconds} s`}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

export async function temporal(probe: Pick<Probe, 'timeout_seconds'>, client: Client): Promise<Found> {
  try {
    await client.withDeadline(Date.now() + probe.timeout_seconds * 1_000, () => client.workflowService.getSystemInfo({}));
    return well();
  } catch (error) {
    return failing(reasonOf(error));
  }
}
