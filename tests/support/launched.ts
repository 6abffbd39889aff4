/** Mission Control as a user starts it: the launcher as a process of its own, with everything it provides. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { existsSync, readdirSync, readFileSync, watch } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type ApiClient } from '../../src/cli/client.ts';
import { readConfig } from '../../src/config.ts';
import { isAlive, identityOf, type ProcessIdentity } from '../../src/processes.mjs';
import type { RunFile } from '../../src/cli/launcher/main.ts';
import type { Approval } from '../../src/domain/approval.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { isTerminal } from '../../src/domain/mission.ts';
import { createClient as createEngineClient } from '../../src/engine/client.ts';
import { projectRoot } from '../../src/project.ts';
import { openToCommands } from './open-sandbox.ts';
import { temporaryFolder } from './repository.ts';

export type Part = 'api' | 'worker' | 'temporal' | 'postgres';

export interface Launched {
  home: string;
  child: ChildProcess;
  output: string[];
  /** Resolves when the launcher has ended, with its exit code. */
  ended: Promise<number | null>;
  run(): RunFile;
  api(): ApiClient;
}

const environment = (home: string, more: Record<string, string>): NodeJS.ProcessEnv => {
  const { DATABASE_URL: _database, TEMPORAL_ADDRESS: _temporal, ...rest } = process.env;
  return { ...rest, MISSION_CONTROL_HOME: home, MISSION_CONTROL_PORT: '0', ...more };
};

/** Starts the launcher without waiting for it to be ready. */
export function spawnLauncher(home: string, args: string[] = [], more: Record<string, string> = {}): Launched {
  const child = spawn(process.execPath, [join(projectRoot, 'src', 'cli', 'start.mjs'), ...args], {
    cwd: projectRoot, env: environment(home, more), stdio: ['ignore', 'pipe', 'pipe'], detached: true,
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => { output.push(line); child.emit('line', line); });
  const ended = new Promise<number | null>((resolve) => { child.once('close', (code) => resolve(code)); });
  const run = (): RunFile => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as RunFile;
  return {
    home, child, output, ended, run,
    api: () => createClient(run().api_url, readFileSync(join(home, 'admin.key'), 'utf8').trim()),
  };
}

/** The shipped configuration, but commands may see the gates and notes of tests in `gate` and `gates` of the data directory. */
async function openConfig(home: string): Promise<string> {
  const folder = join(home, 'open-config');
  if (!existsSync(folder)) {
    await mkdir(home, { recursive: true, mode: 0o700 });
    await cp(join(projectRoot, 'config'), folder, { recursive: true });
    await openToCommands(folder, join(home, 'gate'), join(home, 'gates'));
  }
  return folder;
}

/** Starts it and waits until it says that it is ready. */
export async function launch(home = temporaryFolder(), args: string[] = [], more: Record<string, string> = {}): Promise<Launched> {
  const launched = spawnLauncher(home, args, { MISSION_CONTROL_CONFIG: await openConfig(home), ...more });
  await new Promise<void>((resolve, reject) => {
    launched.child.on('line', (line: string) => { if (line.includes('Mission Control is ready')) resolve(); });
    void launched.ended.then((code) => reject(new Error(`the launcher ended with ${code}:\n${launched.output.join('\n')}\n${logsOf(home)}`)));
  });
  // run.json is written before the line is printed.
  return launched;
}

/** The end of what each process wrote: a launcher that gave up takes its folder with it. */
function logsOf(home: string): string {
  const folder = join(home, 'logs');
  if (!existsSync(folder)) return '';
  return readdirSync(folder).map((name) => `--- ${name}\n${readFileSync(join(folder, name), 'utf8').slice(-2_000)}`).join('\n');
}

/** A client of the engine that the launcher started. Whoever asks closes its connection. */
export function engineOf(launched: Launched): ReturnType<typeof createEngineClient> {
  const { temporal_address: TEMPORAL_ADDRESS, temporal_namespace: TEMPORAL_NAMESPACE } = launched.run();
  return createEngineClient(readConfig({ TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE }).temporal);
}

/** Every process of a running system. */
export const identities = (launched: Launched): Record<Part | 'launcher', ProcessIdentity> =>
  Object.fromEntries(Object.entries(launched.run().pids).map(([name, pid]) => [name, identityOf(pid!)])) as Record<Part | 'launcher', ProcessIdentity>;

/** Ctrl-C, and everything gone. */
export async function stopLaunched(launched: Launched): Promise<void> {
  if (launched.child.exitCode === null && launched.child.signalCode === null) launched.child.kill('SIGINT');
  await launched.ended;
  await rm(launched.home, { recursive: true, force: true });
}

/** `kill -9`, and it is dead. */
export async function killHard(identity: ProcessIdentity): Promise<void> {
  process.kill(identity.pid, 'SIGKILL');
  await eventually(() => !isAlive(identity));
}

/** Looks until it is so; the test's own time limit ends it. */
export async function eventually<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const found = await Promise.resolve().then(look).catch(() => undefined);
    if (found !== undefined && found !== null && found !== false) return found;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

/** The launcher has started it again: another process under the same name. */
export const restarted = (launched: Launched, part: Part, before: ProcessIdentity): Promise<ProcessIdentity> =>
  eventually(() => {
    const now = identities(launched)[part];
    return now.pid !== before.pid && isAlive(now) ? now : undefined;
  });

/** The mission's end, read through an api that may be away for a while. */
export const missionEnd = (launched: Launched, id: string): Promise<MissionDetail> => eventually(async () => {
  const mission = await launched.api().get<MissionDetail>(`/mission-control/missions/${id}`);
  return isTerminal(mission.status) ? mission : undefined;
});

export const waitingApproval = (launched: Launched, id: string): Promise<Approval> => eventually(async () => {
  const { items } = await launched.api().get<{ items: Approval[] }>(`/mission-control/approvals?status=waiting&mission_id=${id}`);
  return items[0];
});

/** A door in a repository's test: the test notes that it runs and goes on when the door is opened. */
export interface Gate {
  folder: string;
  /** Lines of a test file that waits at the door, but only once `add` is right, so that the base's run passes by. */
  source: string;
  runs(): number;
  /** Resolves when the test has begun for the n-th time. */
  begun(n: number): Promise<void>;
  open(): Promise<void>;
}

export async function makeGate(folder: string): Promise<Gate> {
  await mkdir(folder, { recursive: true });
  const log = join(folder, 'runs');
  const door = join(folder, 'open');
  await writeFile(log, '');
  const runs = (): number => readFileSync(log, 'utf8').length;
  return {
    folder, runs,
    source: [
      "import { appendFileSync, existsSync, watch } from 'node:fs';", "import test from 'node:test';", "import { add } from '../add.js';",
      `test('waits at the gate', { skip: add(2, 2) !== 4 }, () => new Promise((resolve) => {`,
      `  const look = () => { if (existsSync(${JSON.stringify(door)})) { watcher.close(); resolve(); } };`,
      `  const watcher = watch(${JSON.stringify(folder)}, look);`,
      `  appendFileSync(${JSON.stringify(log)}, '.');`, '  look();', '}));', '',
    ].join('\n'),
    begun: (n) => new Promise((resolve) => {
      const look = (): void => {
        if (runs() < n) return;
        watcher.close();
        resolve();
      };
      const watcher = watch(folder, look);
      look();
    }),
    open: async () => { if (!existsSync(door)) await writeFile(door, ''); },
  };
}
