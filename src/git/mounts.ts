/** File systems that a command mounted in its worktree: nothing may be removed through one. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Mount points at or below the folder, the deepest first. Linux; elsewhere none are known. */
async function mountsBelow(folder: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  // Field 5, with spaces and others as octal escapes.
  const points = table.split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length);
}

/** Takes them away. @returns those that stay */
export async function unmountBelow(folder: string): Promise<string[]> {
  const found = await mountsBelow(folder);
  if (found.length === 0) return [];
  for (const point of found) await run('umount', ['-l', '--', point]).catch(() => undefined);
  return mountsBelow(folder);
}
