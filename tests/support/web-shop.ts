/** A web server of the test's own: it answers when it is told to, and remembers what was POSTed. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface WebShop {
  url: string;
  /** `host:port`, as an egress policy lists it. */
  address: string;
  posted: unknown[];
  close(): Promise<void>;
}

/** @param answer the status of a GET, once it may be given; called for each */
export async function openWebShop(answer: (path: string) => Promise<number>, onPost: (body: unknown) => void = () => undefined): Promise<WebShop> {
  const posted: unknown[] = [];
  const server: Server = createServer((request, response) => {
    if (request.method !== 'POST') {
      void answer(request.url ?? '/').catch(() => 500).then((status) => response.writeHead(status).end('{}'));
      return;
    }
    let text = '';
    request.on('data', (chunk: Buffer) => { text += chunk.toString(); });
    request.on('end', () => {
      const body = JSON.parse(text) as unknown;
      posted.push(body);
      onPost(body);
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`, address: `127.0.0.1:${port}`, posted,
    close: () => new Promise((resolve) => { server.close(() => resolve()); server.closeAllConnections(); }),
  };
}
