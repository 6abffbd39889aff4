import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { identityOf, isAlive, portHolder, type ProcessIdentity } from '../../processes.mjs';

/** Whether the port can be listened on now. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * The wanted port if it is free, else one picked by chance. Two of our processes that look at the same moment get
 * different ones: each notes what it took, for as long as it lives.
 */
export async function freePort(wanted: number): Promise<number> {
  if (wanted !== 0 && await isFree('127.0.0.1', wanted) && reserve(wanted)) return wanted;
  for (;;) {
    const port = await pickedPort();
    if (reserve(port)) return port;
  }
}

/**
 * Of those that no system hands out by itself (Linux from 32768, macOS and Windows from 49152): a port that was picked
 * stays free until it is listened on, and while its process is started again. Temporal takes a few of the others as it starts.
 */
const picked = { from: 20_000, to: 32_000 };

async function pickedPort(): Promise<number> {
  for (;;) {
    const port = randomInt(picked.from, picked.to);
    if (await isFree('127.0.0.1', port)) return port;
  }
}

/** False when another living process of ours took the port and may be about to listen on it. */
function reserve(port: number): boolean {
  const folder = join(homedir(), '.cache', 'mission-control', 'ports');
  const file = join(folder, String(port));
  const note = JSON.stringify(identityOf(process.pid));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    try {
      writeFileSync(file, note, { flag: 'wx', mode: 0o600 });
    } catch {
      const holder = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
      if (isAlive(holder)) return false;
      writeFileSync(file, note);
    }
  } catch {
    // Nowhere to note it: then the system's own answer has to do.
  }
  return true;
}

/** @throws Error naming who holds the port */
export async function requirePort(host: string, port: number): Promise<void> {
  if (await isFree(host, port)) return;
  const holder = portHolder(port);
  throw new Error(`port ${port} on ${host} is taken${holder === undefined ? '' : ` by ${holder}`}; stop it, or choose another with MISSION_CONTROL_PORT`);
}
