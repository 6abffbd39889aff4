/**
 * A coding mission that passes through all eleven stages and can be held in each: its setup, agent, tests and stress
 * commands wait at doors, its approval waits for a person, and its target moves so that the landing is tested once more.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createClient, type ApiClient } from '../../src/cli/client.ts';
import type { Approval } from '../../src/domain/approval.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { StageName } from '../../src/domain/stages.ts';
import { projectRoot } from '../../src/project.ts';
import { eventually, launch, type Launched } from './launched.ts';
import { inTheOpen } from './open-sandbox.ts';
import { calculator, fixedAdd, makeRepository, temporaryFolder, type TestRepository } from './repository.ts';

/** Stages that run a command, and where it waits. */
export const doors = { pull_code: 'setup', branch_and_patch: 'agent', run_tests: 'tests', stress_tests: 'stress', merge_changes: 'merged' } as const;
type Door = (typeof doors)[keyof typeof doors];
export const doorOf = (stage: StageName): Door | undefined => (doors as Partial<Record<StageName, Door>>)[stage];

/** What any command of the mission does at its door: it says that it is there, with its pid, and waits. */
const doorModule = `
import { appendFileSync, existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
export const pass = (name) => new Promise((resolve) => {
  const folder = readFileSync('doors', 'utf8').trim() + '/' + name;
  writeFileSync(folder + '/pid', String(process.pid));
  const look = () => { if (existsSync(folder + '/open')) { watcher.close(); resolve(); } };
  const watcher = watch(folder, look);
  appendFileSync(folder + '/begun', '.');
  look();
});
`;
const files = (folder: string): Record<string, string> => ({
  ...calculator,
  'doors': `${folder}\n`, 'door.mjs': doorModule,
  'setup.mjs': "import { pass } from './door.mjs';\nawait pass('setup');\n",
  'stress.mjs': [
    "import { pass } from './door.mjs';", "import { add } from './add.js';", "if (add(2, 2) === 4) await pass('stress');",
    "console.log(JSON.stringify({ metrics: { answer: add(2, 2) } }));", '',
  ].join('\n'),
  'test/door.test.js': [
    "import { existsSync } from 'node:fs';", "import test from 'node:test';", "import { pass } from '../door.mjs';", "import { add } from '../add.js';",
    "test('waits at the door', { skip: add(2, 2) !== 4 }, () => pass(existsSync('moved.txt') ? 'merged' : 'tests'));", '',
  ].join('\n'),
  '.mission-control.yaml': stringify({ commands: {
    setup: { argv: ['node', 'setup.mjs'] }, stress: { argv: ['node', 'stress.mjs'], report: { format: 'metrics_json', from: 'stdout' } },
    test: { argv: ['npm', 'test', '--silent'], report: { format: 'node_test' } },
  } }),
});
const agent = "import { writeFileSync } from 'node:fs';\nconst { pass } = await import(process.cwd() + '/door.mjs');\n" +
  `await pass('agent');\nwriteFileSync('add.js', ${JSON.stringify(fixedAdd['add.js'])});\n`;
const moved = { 'moved.txt': 'somebody else was here\n' };

export interface CrashSystem { launched: Launched; relaunch(): Promise<void>; databaseUrl(): string; person(id: string, role: string): Promise<ApiClient> }

/**
 * The launcher with a configuration that has the scripted agent.
 * @param more environment; with a DATABASE_URL of the caller's, that is what the tests look into, too
 */
export async function launchForCrashes(more: Record<string, string> = {}): Promise<CrashSystem> {
  const home = temporaryFolder();
  const config = join(home, 'config');
  await cp(join(projectRoot, 'config'), config, { recursive: true });
  await inTheOpen(config);
  writeFileSync(join(config, 'agent.mjs'), agent);
  writeFileSync(join(config, 'agents.yaml'), stringify({ agents: { scripted: { argv: ['node', './agent.mjs'], timeout_seconds: 600, max_attempts: 20 } } }));
  const start = (): Promise<Launched> => launch(home, [], { MISSION_CONTROL_CONFIG: config, ...more });
  const keys = new Map<string, string>();
  const system: CrashSystem = {
    launched: await start(),
    async relaunch() { system.launched = await start(); },
    databaseUrl() {
      if (more['DATABASE_URL'] !== undefined) return more['DATABASE_URL'];
      // A server that was started again may have another port, and the file with the address is written once all is ready.
      const port = /^port = (\d+)$/m.exec(readFileSync(join(home, 'postgres', 'postgresql.auto.conf'), 'utf8'))![1]!;
      return Object.assign(new URL(readFileSync(join(home, 'database.url'), 'utf8').trim()), { port }).href;
    },
    async person(id, role) {
      if (!keys.has(id)) keys.set(id, (await system.launched.api().post<{ key: string }>('/mission-control/keys', { principal_id: id, kind: 'person', role })).key);
      return createClient(system.launched.run().api_url, keys.get(id)!);
    },
  };
  return system;
}

export interface CrashMission {
  mission_id: string;
  repository: TestRepository;
  /** The tree that git alone makes of both changes: what the branch must have in the end. */
  expectedTree: string;
  execute(): Promise<unknown>;
  /** Resolves with the pid of the command that waits there. */
  begun(door: Door): Promise<number>;
  open(door: Door): void;
  /** Somebody else's commit on the target. */
  moveTarget(): void;
  waitsForApproval(): Promise<boolean>;
  /** Decides, however often the api or the worker dies meanwhile. */
  approve(): Promise<void>;
}

export async function createCrashMission(system: CrashSystem, more: Record<string, unknown> = {}): Promise<CrashMission> {
  const { home } = system.launched;
  mkdirSync(join(home, 'doors'), { recursive: true });
  const folder = mkdtempSync(join(home, 'doors', 'm-'));
  for (const door of Object.values(doors)) mkdirSync(join(folder, door));
  const repository = makeRepository(join(home, 'repositories'), files(folder));
  const sender = await system.person('sender', 'operator');
  const { mission_id } = await sender.post<MissionDetail>('/mission-control/missions', {
    title: 'Adding is wrong', subsystem_id: 'calculator', severity: 'medium', symptoms: [{ description: '2 + 2 is 0' }], assigned_to: 'scripted',
    acceptance_criteria: {
      must_pass_tests: ['adds'], observation_window_minutes: 0.05, observation_window: { metrics: 'none', reason: 'a test of the pipeline' },
    },
    workspace: { repo_path: repository.path }, ...more,
  });
  const at = (door: Door, name: string): string => join(folder, door, name);
  const approval = async (): Promise<Approval | undefined> =>
    (await system.launched.api().get<{ items: Approval[] }>(`/mission-control/approvals?status=waiting&mission_id=${mission_id}`)).items[0];
  return {
    mission_id, repository, expectedTree: treeOfBoth(repository),
    execute: async () => (await system.person('sender', 'operator')).post(`/mission-control/missions/${mission_id}/execute`, {}),
    async begun(door) {
      await eventually(() => existsSync(at(door, 'begun')));
      return Number(readFileSync(at(door, 'pid'), 'utf8'));
    },
    open: (door) => writeFileSync(at(door, 'open'), ''),
    moveTarget: () => { repository.commit(moved, 'moved'); },
    waitsForApproval: async () => (await approval().catch(() => undefined)) !== undefined,
    approve: async () => {
      await eventually(async () => {
        const waiting = await approval();
        if (waiting === undefined) return true;
        const approver = await system.person('approver', 'approver');
        await approver.post(`/mission-control/approvals/${waiting.approval_id}/approve`, { reason: 'seen', digests: waiting.digests });
        return (await approval()) === undefined;
      });
    },
  };
}

function treeOfBoth(repository: TestRepository): string {
  const copy = temporaryFolder();
  try {
    for (const name of readdirSync(repository.path)) cpSync(join(repository.path, name), join(copy, name), { recursive: true });
    for (const [name, text] of Object.entries({ ...moved, ...fixedAdd })) writeFileSync(join(copy, name), text);
    const git = (...args: string[]): string => execFileSync('git', ['-C', copy, ...args], { encoding: 'utf8', env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' } });
    git('add', '-A');
    return git('write-tree').trim();
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
