/** Which levels of the sandbox this host really gives: each is tried once, by running a command that looks around in it. */
import { access, constants, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { randomUUID } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { isShutIn, reaches, sandboxLevels, type SandboxLevel, type SandboxPolicy } from '../../domain/sandbox.ts';
import { sandboxProbe } from '../../project.ts';
import type { Means, Tools } from './confine.ts';
import { findHierarchy, type GroupHierarchy } from './groups.ts';
import type { RunRequest, RunResult } from './runner.ts';

export interface Rung {
  level: SandboxLevel;
  works: boolean;
  /** What is missing or went wrong; null when it works. */
  reason: string | null;
}

export interface Ladder {
  rungs: Rung[];
  tools: Tools;
  groups: GroupHierarchy | null;
}

/** The strongest level that works and that the policy uses. */
export function bestOf(ladder: Ladder, policy: Pick<SandboxPolicy, 'strongest'>): SandboxLevel {
  return ladder.rungs.find(({ level, works }) => works && reaches(policy.strongest, level))?.level ?? 'plain';
}

/** Why nothing stronger is used, in one line; '' when nothing is amiss. */
export const missingIn = (ladder: Ladder): string =>
  ladder.rungs.flatMap(({ level, reason }) => (reason === null ? [] : [`${level}: ${reason}`])).join('; ');

const open: SandboxPolicy = { minimum: 'plain', strongest: 'bwrap', maximum: {}, readable: [], writable: [] };
const probeSeconds = 20;
const needed: Record<SandboxLevel, readonly string[]> = {
  bwrap: ['bwrap', 'prlimit'], unshare: ['unshare', 'mount', 'umount', 'pivot_root', 'setpriv', 'ip', 'prlimit'], prlimit: ['prlimit'], plain: [],
};

/**
 * @param scratch a folder in the data directory
 * @param run runs a command at the given level
 */
export async function climb(scratch: string, run: (request: RunRequest, means: Means) => Promise<RunResult>): Promise<Ladder> {
  const groups = process.platform === 'linux' ? findHierarchy() : null;
  const [bwrap, unshare, prlimit] = await Promise.all(['bwrap', 'unshare', 'prlimit'].map((name) => onPath(name))) as [string | null, string | null, string | null];
  const tools = { bwrap, unshare, prlimit };
  const folder = join(scratch, `probe-${randomUUID()}`);
  const secret = join(scratch, `secret-${randomUUID()}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(secret, '', { mode: 0o600 });
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address() as { port: number };

  async function wrongWith(level: SandboxLevel): Promise<string | null> {
    if (level === 'plain') return null;
    if (process.platform !== 'linux') return 'only on Linux';
    const missing = (await Promise.all(needed[level].map(async (name) => (await onPath(name) === null ? [name] : [])))).flat();
    if (missing.length > 0) return `${missing.join(', ')} not on PATH`;
    const result = await run({
      argv: [process.execPath, sandboxProbe, secret, String(port), isShutIn(level) ? 'shut in' : 'limited'],
      cwd: folder, marker: `probe-${level}`, timeout_seconds: probeSeconds, network: false, sandbox: open, readable: [sandboxProbe],
    }, { level, tools, groups });
    await rm(result.output_file, { force: true });
    const wrong = result.exit_code === 0 ? JSON.parse(result.stdout) as string[] : [`it ended with ${result.exit_code ?? result.signal}: ${result.stdout.slice(-300)}`];
    return wrong.length === 0 ? null : wrong.join(', ');
  }

  try {
    const rungs: Rung[] = [];
    for (const level of sandboxLevels) {
      const reason = await wrongWith(level).catch((error: Error) => error.message);
      rungs.push({ level, works: reason === null, reason });
    }
    return { rungs, tools, groups };
  } finally {
    server.close();
    await Promise.all([folder, secret].map((path) => rm(path, { recursive: true, force: true })));
  }
}

/** Where a program is, also in the folders of programs that only root finds on its PATH. */
export async function onPath(name: string): Promise<string | null> {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    if (folder !== '' && await access(join(folder, name), constants.X_OK).then(() => true, () => false)) return join(folder, name);
  }
  return null;
}
