/** One file with everything below some folders, made and unpacked by `tar`; a copy each time, so that nothing is shared. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open, type FileHandle } from 'node:fs/promises';

export interface Packed {
  sha256: string;
  size_bytes: number;
  /** Whether a byte sequence that was looked for is anywhere in it. */
  found: boolean;
}

const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };
const maxErrorBytes = 4_000;

/**
 * @param names relative to `folder`
 * @param needle bytes to look for in names, link targets and contents
 * @throws Error when it would be larger than `maxBytes`, or tar says that something changed under it
 */
export async function pack(folder: string, names: readonly string[], target: string, needle: Buffer, maxBytes: number, signal: AbortSignal): Promise<Packed> {
  const hash = createHash('sha256');
  const file = await open(target, 'wx', 0o600);
  // Nothing is awaited from here until its output is read: Node drops what a child that has ended left unread.
  const tar = spawn('tar', ['-c', '-f', '-', '-C', folder, '--null', '-T', '-'], { env: environment, signal, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = endOf(tar);
  // Awaited below; a failure while we write must not be one that nobody handles.
  ended.catch(() => undefined);
  tar.stdin.on('error', () => undefined);
  // A name that begins with a dash is no option this way.
  tar.stdin.end(names.map((name) => `./${name}\0`).join(''));
  let size = 0;
  let found = false;
  let tail = Buffer.alloc(0);
  try {
    for await (const chunk of tar.stdout as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
      hash.update(chunk);
      const seen = Buffer.concat([tail, chunk]);
      found ||= seen.includes(needle);
      tail = seen.subarray(Math.max(0, seen.length - needle.length + 1));
      await file.write(chunk);
    }
    await ended;
    await file.sync();
  } finally {
    tar.kill('SIGKILL');
    await file.close();
  }
  return { sha256: hash.digest('hex'), size_bytes: size, found };
}

export async function digestOfFile(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  // A start makes it read by position: whoever gets the descriptor next begins at 0.
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Nothing that is there is overwritten; times are now, so that what was built is newer than its checked-out sources. */
export async function unpack(file: FileHandle, folder: string, signal: AbortSignal): Promise<void> {
  await endOf(spawn('tar', ['-x', '-k', '-p', '-m', '--no-same-owner', '-f', '-', '-C', folder], { env: environment, signal, stdio: [file.fd, 'ignore', 'pipe'] }));
}

async function endOf(tar: ReturnType<typeof spawn>): Promise<void> {
  let said = '';
  tar.stderr!.on('data', (chunk: Buffer) => { if (said.length < maxErrorBytes) said += chunk.toString('utf8'); });
  const [code] = await once(tar, 'close') as [number | null];
  if (code !== 0) throw new Error(`tar ended with ${code}: ${said.trim().slice(0, 500)}`);
}
