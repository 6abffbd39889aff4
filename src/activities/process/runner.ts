/** Runs a command under a keeper: time limit, cancellation, capped output, nothing left behind; a repository's, confined. */
import { createWriteStream } from 'node:fs';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import type { AskedLimits, LimitHit } from '../../domain/limits.ts';
import { notPromised, reaches, type SandboxLevel, type SandboxPolicy, type SandboxUsed } from '../../domain/sandbox.ts';
import { keeperScript } from '../../project.ts';
import { failure } from '../../engine/failure.ts';
import { closed, isExhausted, startProcess } from '../../fork-server/start.ts';
import { removeFolder } from '../../git/remove-folder.ts';
import { confine, type Confined, type Means } from './confine.ts';
import { commandEnvironment, forKeeper } from './environment.ts';
import { whenThereIsRoom } from './exhausted.ts';
import { closeAbandoned } from './groups.ts';
import type { KeeperPlan, KeeperReport } from './keeper.ts';
import { bestOf, climb, missingIn, type Ladder } from './ladder.ts';
import { suspectedLimit } from './suspected-limit.ts';
import { sweepMarked } from './sweep.ts';

export interface RunRequest {
  argv: readonly string[];
  cwd: string;
  /** Named in the environment of everything that runs, so that leftovers are found again. */
  marker: string;
  timeout_seconds: number;
  network: boolean;
  env?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** The policy for repositories' commands. Absent: a tool of ours, run plainly, and what follows has no effect. */
  sandbox?: SandboxPolicy | undefined;
  /** What this command asks for; the defaults for the rest. */
  limits?: AskedLimits | undefined;
  /** More of this host that the command needs, absolute paths: a dependency cache, for instance. `cwd` is always writable. */
  writable?: readonly string[] | undefined;
  readable?: readonly string[] | undefined;
}

export interface RunResult {
  exit_code: number | null;
  signal: string | null;
  timed_out: boolean;
  duration_ms: number;
  /** File with standard output and error, interleaved, capped. The caller moves or removes it. */
  output_file: string;
  /** First bytes of standard output alone, for reports printed there. */
  stdout: string;
  truncated: boolean;
  sandbox: SandboxUsed;
  /** The limit that the run came up against; null when there was none. */
  limit: LimitHit | null;
  /** Of everything that the command started, where a control group counts it. */
  cpu_seconds?: number | undefined;
  peak_memory_mib?: number | null | undefined;
}

export interface ProcessRunner {
  /** @throws TOOL_MISSING, SANDBOX_UNAVAILABLE, HOST_EXHAUSTED */
  run(request: RunRequest): Promise<RunResult>;
  /** Kills every process that carries the marker; waits until they are gone. */
  sweep(marker: string): Promise<number>;
  /**
   * What confines commands on this host: tried once, when first asked for, and again when that is less than what is wanted:
   * somebody may have mended it.
   */
  ladder(wanted?: SandboxLevel): Promise<Ladder>;
}

const maxOutputBytes = 10 * 1024 * 1024;
const graceMs = 2_000;
/** After the command ended, how long a process that escaped its group may keep our pipe open. */
const drainMs = 500;
const tryAgainMs = 30_000;

/** @param scratch a folder of ours in the data directory, for output files and the commands' own HOME and TMPDIR */
export function createProcessRunner(scratch: string): ProcessRunner {
  const hidden = [dirname(resolve(scratch))];
  // Two systems on one host count their missions alike: each finds again only what it started itself.
  const system = createHash('sha256').update(resolve(scratch)).digest('hex').slice(0, 12);
  const own = (marker: string): string => `${marker}@${system}`;
  let tried: Promise<{ ladder: Ladder; at: number }> | undefined;
  const tryAll = (): NonNullable<typeof tried> => {
    const trying = climb(scratch, runWith).then((found) => ({ ladder: found, at: performance.now() }));
    trying.catch(() => { tried = undefined; });
    return trying;
  };
  async function ladder(wanted: SandboxLevel = 'plain'): Promise<Ladder> {
    const last = await (tried ??= tryAll());
    const enough = reaches(bestOf(last.ladder, { strongest: 'bwrap' }), wanted);
    if (enough || performance.now() - last.at < tryAgainMs) return last.ladder;
    tried = tryAll();
    return (await tried).ladder;
  }

  async function runWith(asked: RunRequest, means: Means | null): Promise<RunResult> {
    const request = { ...asked, marker: own(asked.marker) };
    const folder = join(scratch, randomUUID());
    const folders = { home: join(folder, 'home'), tmp: join(folder, 'tmp'), slashTmp: join(folder, 'slash-tmp'), root: join(folder, 'root') };
    const outputFile = join(scratch, `${randomUUID()}.log`);
    try {
      await Promise.all([folders.home, folders.tmp].map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
      const env = commandEnvironment(request, folders.home, folders.tmp);
      const confined = means === null || request.sandbox === undefined ? null
        : await confine({ ...request, sandbox: request.sandbox }, env, means, folders, hidden, system);
      return await supervise(request, env, outputFile, confined, means);
    } catch (error) {
      await rm(outputFile, { force: true });
      throw error;
    } finally {
      await removeFolder(folder);
    }
  }

  return {
    ladder,
    async sweep(marker) {
      const killed = await sweepMarked(own(marker));
      const { groups } = await ladder();
      if (groups !== null) await closeAbandoned(groups, system);
      return killed;
    },
    async run(request) {
      request.signal?.throwIfAborted();
      const means = request.sandbox === undefined ? null : meansFor(request.sandbox, await ladder(request.sandbox.minimum));
      return whenThereIsRoom(request.argv[0]!, () => runWith(request, means), request.signal);
    },
  };
}

/** @throws SANDBOX_UNAVAILABLE when this host gives less than the policy's minimum */
function meansFor(policy: SandboxPolicy, ladder: Ladder): Means {
  const level = bestOf(ladder, policy);
  if (!reaches(level, policy.minimum)) {
    throw failure('SANDBOX_UNAVAILABLE', `the policy wants commands run at level ${policy.minimum} or stronger, and this host gives ${level} (${missingIn(ladder)}); `
      + 'install what is missing, or lower sandbox.minimum in policy.yaml');
  }
  return { level, tools: ladder.tools, groups: ladder.groups };
}

async function supervise(
  request: RunRequest, env: Record<string, string>, outputFile: string, confined: Confined | null, means: Means | null,
): Promise<RunResult> {
  request.signal?.throwIfAborted();
  const plan: KeeperPlan = { timeout_ms: request.timeout_seconds * 1_000, grace_ms: graceMs, confined: confined?.plan };
  const { descriptors } = await startProcess([process.execPath, keeperScript, JSON.stringify(plan), ...(confined?.argv ?? request.argv)],
    { cwd: request.cwd, env: forKeeper(env), descriptors: 4 });
  const [stdin, stdout, stderr, reportPipe] = descriptors;
  const reported = keeperReport(reportPipe);
  const output = createWriteStream(outputFile, { mode: 0o600 });
  // A full disk fails the run, not the worker.
  output.on('error', () => undefined);
  const maxBytes = (confined?.plan.limits.output_mib ?? Infinity) * 1024 * 1024;
  let written = 0;
  let truncated = false;
  let flood: LimitHit | null = null;
  // Put together at the end: a chunk may end in the middle of a character.
  const kept: Buffer[] = [];
  let keptBytes = 0;
  const stop = (): void => { stdin.write('stop\n'); };
  const keep = (chunk: Buffer): void => {
    const room = maxOutputBytes - written;
    if (chunk.length > room) truncated = true;
    if (room > 0) output.write(chunk.subarray(0, room));
    written += chunk.length;
    if (written > maxBytes && flood === null) {
      flood = { limit: 'output_mib', evidence: 'certain', detail: `output_mib ${confined!.plan.limits.output_mib}: it printed more` };
      stop();
    }
  };
  stdout.on('data', (chunk: Buffer) => {
    keep(chunk);
    if (keptBytes < maxOutputBytes) kept.push(chunk);
    keptBytes += chunk.length;
  });
  stderr.on('data', keep);

  request.signal?.addEventListener('abort', stop, { once: true });
  if (request.signal?.aborted) stop();
  try {
    const report = await reported;
    await drained([stdout, stderr]);
    // An escaped daemon may hold our sockets; it must not hold us.
    stdout.destroy();
    stderr.destroy();
    output.end();
    // Also rejects for a write that failed a moment ago.
    await finished(output);
    request.signal?.throwIfAborted();
    await refuseUnstarted(request, report, confined, outputFile);
    const text = Buffer.concat(kept).toString('utf8');
    const { exit_code, signal, timed_out, duration_ms, cpu_seconds, peak_memory_mib } = report;
    const suspected = confined === null || exit_code === 0 ? null : await suspectedLimit(outputFile, confined.plan.limits);
    return {
      exit_code, signal, timed_out, duration_ms, cpu_seconds, peak_memory_mib,
      output_file: outputFile, stdout: text, truncated, limit: flood ?? report.limit ?? suspected,
      sandbox: confined === null || means === null ? { level: 'plain' } : {
        level: means.level, network: request.network, limits: confined.plan.limits, groups: report.groups ?? 'none',
        not_promised: notPromised(means.level, { network: request.network, groups: (report.groups ?? 'none') !== 'none', processes: confined.holdsProcesses }),
      },
    };
  } finally {
    request.signal?.removeEventListener('abort', stop);
    output.destroy();
    for (const socket of descriptors) socket.destroy();
  }
}

/** @throws what kept a command from starting */
async function refuseUnstarted({ argv }: RunRequest, report: KeeperReport, confined: Confined | null, outputFile: string): Promise<void> {
  if (report.spawn_error !== undefined) {
    if (isExhausted({ code: report.spawn_error })) throw Object.assign(new Error(`${argv[0]}: ${report.spawn_error}`), { code: report.spawn_error });
    throw failure('TOOL_MISSING', `${argv[0]} cannot be started: ${report.spawn_error}`);
  }
  if (confined === null || report.timed_out) return;
  if (report.start === 'missing') throw failure('TOOL_MISSING', `${argv[0]} cannot be started: not there, or no program${confined.plan.shut_in ? ', in the sandbox' : ''}`);
  // A limit may be too small for the sandbox itself: that is said as the limit.
  if (report.start === 'failed' && !report.limit) {
    // Nothing of the command ran: what was printed is what shuts it in complaining.
    const said = (await readFile(outputFile, 'utf8')).trim().slice(-500);
    throw failure('SANDBOX_UNAVAILABLE', `the sandbox around ${argv[0]} could not be made: ${said || 'it said nothing'}`);
  }
}

/** The keeper's line on descriptor 3, complete once that ends, which it does when the keeper does. */
async function keeperReport(socket: Socket): Promise<KeeperReport> {
  let text = '';
  socket.on('data', (chunk: Buffer) => { text += chunk.toString('utf8'); });
  await closed(socket);
  if (!text.endsWith('\n')) throw failure('INTERNAL', 'the keeper of the command was killed');
  return JSON.parse(text) as KeeperReport;
}

async function drained(streams: readonly Socket[]): Promise<void> {
  await Promise.race([Promise.all(streams.map(closed)), new Promise((resolve) => { setTimeout(resolve, drainMs); })]);
}
