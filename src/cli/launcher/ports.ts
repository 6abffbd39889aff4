import { createServer } from 'node:net';
import { portHolder } from '../../processes.mjs';

/** Whether the port can be listened on now. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The wanted port if it is free, else one that the system picks. */
export async function freePort(wanted: number): Promise<number> {
  if (wanted !== 0 && await isFree('127.0.0.1', wanted)) return wanted;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** @throws Error naming who holds the port */
export async function requirePort(host: string, port: number): Promise<void> {
  if (await isFree(host, port)) return;
  const holder = portHolder(port);
  throw new Error(`port ${port} on ${host} is taken${holder === undefined ? '' : ` by ${holder}`}; stop it, or choose another with MISSION_CONTROL_PORT`);
}
