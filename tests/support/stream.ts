/** The api on a ledger of the test's own, and clients of its live stream. There is no Temporal: nothing here asks for one. */
import { rm } from 'node:fs/promises';
import { WebSocket, type ClientOptions } from 'ws';
import { buildApp } from '../../src/api/app.ts';
import { readConfig } from '../../src/config.ts';
import type { SealedEvent } from '../../src/domain/event.ts';
import type { Overview, ServerMessage } from '../../src/domain/stream.ts';
import { createClient } from '../../src/engine/client.ts';
import { createGit } from '../../src/git/git.ts';
import { createMirrors } from '../../src/git/mirror.ts';
import { openHome, pepperOf } from '../../src/home.ts';
import { createArtifacts } from '../../src/store/artifacts.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { createDatabase } from '../../src/store/database.ts';
import { latestSeq } from '../../src/store/ledger.ts';
import { silent } from './database.ts';
import { keyFor } from './http.ts';
import { openLedger, type TestLedger } from './ledger.ts';
import { temporaryFolder } from './repository.ts';

export type StreamSystem = Awaited<ReturnType<typeof startStreaming>>;

export async function startStreaming(environment: Record<string, string> = {}) {
  const ledger: TestLedger = await openLedger();
  ledger.start();
  const home = temporaryFolder();
  await openHome(home);
  const pepper = await pepperOf(home);
  const config = readConfig({ MISSION_CONTROL_HOME: home, DATABASE_URL: ledger.db.url, TEMPORAL_ADDRESS: '127.0.0.1:9', ...environment });
  const temporal = await createClient(config.temporal);

  /** Another api process's worth of the api, on the same ledger. */
  async function startApi(port = 0) {
    const database = createDatabase(ledger.db.url, silent);
    const git = createGit(home, config.git);
    const app = await buildApp({
      config, logger: silent, database, temporal, git, pepper, artifacts: createArtifacts(config.artifacts, database.query),
      catalog: createCatalog(config.configFolder, database), mirrors: createMirrors(git, home, config.repoRoots),
    });
    await app.listen({ host: '127.0.0.1', port });
    return {
      app, port: (app.server.address() as { port: number }).port,
      async close() {
        await app.close();
        await database.close();
      },
    };
  }
  let api = await startApi();
  const key = await keyFor({ db: ledger.db, pepper }, 'watcher', 'viewer');

  const url = (): string => `http://127.0.0.1:${api.port}`;
  return {
    ledger, pepper, key, startApi,
    db: ledger.db,
    /** The same after a restart. */
    url: url(),
    /** The api goes away and another one comes in its place, on the same port. */
    async restartApi(): Promise<void> {
      await api.close();
      api = await startApi(api.port);
    },
    closeApi: () => api.close(),
    /** The last seq, when all that was written has its place. */
    async settled(): Promise<number> {
      await ledger.until(async () => (await ledger.query('SELECT 1 FROM unsealed LIMIT 1')).length === 0);
      return latestSeq(ledger.query);
    },
    connect: (options: ClientOptions = {}, as = key): Promise<Client> =>
      openClient(url(), { ...options, headers: { authorization: `Bearer ${as}`, ...options.headers } }),
    async close(): Promise<void> {
      await api.close().catch(() => undefined);
      await ledger.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

export interface Client {
  socket: WebSocket;
  messages: ServerMessage[];
  events: SealedEvent[];
  /** The last seq that any message named: where it would go on. */
  cursor(): number;
  say(message: unknown): void;
  /** The first message that is so, past or to come. */
  until<T>(find: (client: Client) => T | undefined | false): Promise<T>;
  closed: Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
}

/** @throws Refusal when the server answers in HTTP instead of upgrading */
export function openClient(url: string, options: ClientOptions = {}): Promise<Client> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/mission-control/ws`, options);
  const messages: ServerMessage[] = [];
  const looks = new Set<() => void>();
  const changed = (): void => { for (const look of looks) look(); };
  let over: { code: number; reason: string } | undefined;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => {
      over = { code, reason: reason.toString() };
      resolve(over);
      changed();
    });
  });
  const client: Client = {
    socket, messages, closed, events: [],
    cursor: () => messages.reduce((seq, message) => ('seq' in message ? Math.max(seq, message.seq) : seq), 0),
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    until: <T>(find: (client: Client) => T | undefined | false) => new Promise<T>((resolve, reject) => {
      const look = (): void => {
        const found = find(client);
        if (found === undefined || found === false) {
          if (over === undefined) return;
          looks.delete(look);
          return reject(new Error(`closed with ${over.code} ${over.reason} after ${messages.length} messages`));
        }
        looks.delete(look);
        resolve(found);
      };
      looks.add(look);
      look();
    }),
    async close() {
      socket.close();
      await closed;
    },
  };
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as ServerMessage;
    messages.push(message);
    if (message.type === 'data_update') client.events.push(...message.events);
    changed();
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(client));
    socket.once('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => reject(new Refusal(response.statusCode ?? 0, Buffer.concat(chunks).toString())));
    });
    socket.once('error', reject);
  });
}

export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, text: string) {
    const { code } = JSON.parse(text) as { code: string };
    super(`${status} ${code}`);
    this.status = status;
    this.code = code;
  }
}

export const messageOf = <K extends ServerMessage['type']>(type: K, after = 0) => ({ messages }: Client) =>
  messages.slice(after).find((message): message is Extract<ServerMessage, { type: K }> => message.type === type);

export const snapshotOf = (client: Client): Promise<Overview> => client.until(messageOf('initial_data'));

export const seqs = (client: Pick<Client, 'events'>): number[] => client.events.map(({ seq }) => seq);
export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
