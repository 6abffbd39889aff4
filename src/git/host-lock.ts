/** One at a time on this host, across processes: a lock of the kernel's, which it takes back from a process that dies. */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';

/**
 * Does the work while it holds the file's lock. Without flock(1) on the host it is done at once: then one worker per data
 * directory is what keeps order.
 * @param path a file for nothing else, made when it is not there and never removed: who waits for it holds it open
 */
export async function holding<T>(path: string, work: () => Promise<T>): Promise<T> {
  const file = await open(path, 'a', 0o600);
  try {
    await lock(file.fd);
    return await work();
  } finally {
    await file.close();
  }
}

/** flock(1) locks the open file that it inherits, which is ours too: the lock stays when it has ended. */
function lock(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['--exclusive', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
    child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve() : reject(error)));
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`flock ended with ${code}`))));
  });
}
