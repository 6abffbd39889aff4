/** Those who are told: an HTTP server and a mail server that note what arrives and answer as the test says. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface Received { path: string; headers: IncomingHttpHeaders; body: string }

export interface WebReceiver {
  port: number;
  url: string;
  received: Received[];
  /** Resolves with the n-th request, counted from 1. */
  nth(n: number): Promise<Received>;
  close(): Promise<void>;
}

/** @param answer status of each request; a promise holds the answer back */
export async function webReceiver(answer: (request: Received, n: number) => number | Promise<number> = () => 204, port = 0): Promise<WebReceiver> {
  const received: Received[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => { chunks.push(chunk); });
    request.on('end', () => {
      const one = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
      received.push(one);
      for (const look of waiting) look();
      void Promise.resolve(answer(one, received.length)).then((status) => {
        response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end();
      });
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: actual } = server.address() as AddressInfo;
  return {
    port: actual, url: `http://127.0.0.1:${actual}/hook`, received,
    nth: (n) => new Promise((resolve) => {
      const look = (): void => {
        const one = received[n - 1];
        if (one === undefined) return;
        waiting.delete(look);
        resolve(one);
      };
      waiting.add(look);
      look();
    }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface MailReceiver { port: number; mails: { from: string; to: string[]; user: string; text: string }[]; close(): Promise<void> }

export interface MailRules {
  user?: string;
  password?: string;
  /** Code of the n-th message's answer, counted from 1; 250 takes it. */
  answer?: (n: number) => number;
  /** Code for a recipient. */
  recipient?: (address: string) => number;
  starttls?: 'yes';
}

export async function mailReceiver({ user, password, answer = () => 250, recipient = () => 250, starttls }: MailRules = {}): Promise<MailReceiver> {
  const mails: MailReceiver['mails'] = [];
  let seen = 0;
  const refusal = (code: number): Error => Object.assign(new Error('not now'), { responseCode: code });
  const server = new SMTPServer({
    authOptional: user === undefined, allowInsecureAuth: true, disabledCommands: starttls === 'yes' ? [] : ['STARTTLS'], logger: false,
    onAuth: (auth, _session, callback) => {
      if (auth.username === user && auth.password === password) callback(null, { user: auth.username });
      else callback(Object.assign(new Error(`no: ${auth.password}`), { responseCode: 535 }));
    },
    onRcptTo: ({ address }, _session, callback) => {
      const code = recipient(address);
      callback(code === 250 ? null : refusal(code));
    },
    onData: (stream, session, callback) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => { chunks.push(chunk); });
      stream.on('end', () => {
        seen += 1;
        const code = answer(seen);
        if (code !== 250) return callback(refusal(code));
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map((one) => one.address), user: String(session.user ?? ''),
          text: Buffer.concat(chunks).toString('utf8'),
        });
        callback(null);
      });
    },
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port, mails,
    close: () => new Promise((resolve) => { server.close(() => resolve()); }),
  };
}
