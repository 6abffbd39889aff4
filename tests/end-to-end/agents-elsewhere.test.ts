/** The example agents as somebody runs them: each takes a mission over HTTP, fails once, is told why, and lands its patch. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../src/project.ts';
import { calculator } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let folder: string;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  folder = mkdtempSync(join(system.home, 'agents-'));
  cpSync(join(projectRoot, 'examples', 'agents'), folder, { recursive: true });
  // As its own first lines say, for Node 20. The types of Node are the only thing that a bare folder lacks.
  execFileSync(process.execPath, [
    join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc'), 'agent.mts', '--target', 'es2022', '--module', 'nodenext',
    '--typeRoots', join(projectRoot, 'node_modules', '@types'), '--types', 'node', '--skipLibCheck', '--ignoreConfig',
  ], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
});
afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ['python', ['python3', 'agent.py']], ['shell', ['sh', 'agent.sh']], ['typescript', [process.execPath, 'agent.mjs']],
])('the %s agent takes a mission, is told what failed, and lands its second patch', async (id, argv) => {
  const repository = system.repository(calculator);
  const { authorization } = await system.headers(id, 'agent');
  const agent = spawn(argv[0]!, [...argv.slice(1), '--once'], {
    cwd: folder, stdio: ['ignore', 'pipe', 'pipe'],
    // An empty home: git and the agent find nothing of ours.
    env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', MISSION_CONTROL_URL: system.url, MISSION_CONTROL_KEY: authorization.slice('Bearer '.length), AGENT_ID: id },
  });
  const said: Buffer[] = [];
  for (const stream of [agent.stdout, agent.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk));
  const ended = new Promise<number | null>((resolve) => { agent.once('close', resolve); });
  try {
    // The agent waits already: the mission comes to it.
    const { mission_id } = await system.send(repository, [], { workspace: { repo_path: repository.path } });
    const mission = await system.whenEnded(mission_id);
    expect(mission, Buffer.concat(said).toString()).toMatchObject({ status: 'resolved', outcome: 'landed' });
    expect(await ended, Buffer.concat(said).toString()).toBe(0);
    expect(repository.git('show', 'main:add.js')).toContain('a + b');
    expect(await system.reader.get(`/mission-control/missions/${mission_id}/patches`)).toMatchObject({ items: [{ agent_id: id, state: 'failed' }, { agent_id: id, state: 'proved' }] });
  } finally {
    agent.kill('SIGKILL');
  }
}, 240_000);
