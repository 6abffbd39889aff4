/** Connections to Temporal, the same settings for api and worker. */
import { readFile } from 'node:fs/promises';
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor, type TLSConfig } from '@temporalio/client';
import type { TemporalConfig } from '../config.ts';
import { endsWithItsChannel } from './closed-channel.ts';

/** One queue for workflows and their activities; work on a host's files has a queue of its own. */
export const taskQueue = 'mission-control';
export const workspaceQueue = (hostId: string): string => `workspace:${hostId}`;

/** Address, TLS and API key as in Temporal's own tools. @throws Error when there is no address */
export async function connectionOptions(config: TemporalConfig): Promise<{ address: string; apiKey?: string; tls?: TLSConfig }> {
  if (config.address === undefined) throw new Error('TEMPORAL_ADDRESS is not set; `npm start` provides an embedded server');
  const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file));
  const [crt, key, ca] = await Promise.all([read(config.certFile), read(config.keyFile), read(config.caFile)]);
  const pair = crt !== undefined && key !== undefined ? { clientCertPair: { crt, key } } : {};
  return {
    address: config.address,
    ...(config.apiKey === undefined ? {} : { apiKey: config.apiKey }),
    ...(config.tls ? { tls: { ...pair, ...(ca === undefined ? {} : { serverRootCACertificate: ca }) } } : {}),
  };
}

/** A client that connects when it is first used and again, quickly, whenever the server comes back. */
export async function createClient(config: TemporalConfig): Promise<Client> {
  const connection = Connection.lazy({
    ...await connectionOptions(config),
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions()), endsWithItsChannel],
    // gRPC's own pause between attempts grows to two minutes, long after the server is back.
    channelArgs: {
      'grpc.initial_reconnect_backoff_ms': 100, 'grpc.min_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1_000,
    },
  });
  return new Client({ connection, namespace: config.namespace });
}
