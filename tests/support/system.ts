/** The real thing in one process: api and worker on a real Temporal server, a real database and real git. */
import { openSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import pg from 'pg';
import { inject } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import { createClient as createApi, type ApiClient } from '../../src/cli/client.ts';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { temporalServer } from '../../src/cli/launcher/temporal.ts';
import { readConfig, type Config } from '../../src/config.ts';
import type { Approval } from '../../src/domain/approval.ts';
import { systemActor, type PrincipalKind, type Role } from '../../src/domain/actor.ts';
import type { Capa } from '../../src/domain/capa.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { isTerminal } from '../../src/domain/mission.ts';
import type { StageName } from '../../src/domain/stages.ts';
import { createClient } from '../../src/engine/client.ts';
import { createGit } from '../../src/git/git.ts';
import { createMirrors } from '../../src/git/mirror.ts';
import { openHome, pepperOf } from '../../src/home.ts';
import { projectRoot, workflowBundle } from '../../src/project.ts';
import { createArtifacts } from '../../src/store/artifacts.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { addKey, newKeyText } from '../../src/store/keys.ts';
import { startWorker, type RunningWorker } from '../../src/worker/worker.ts';
import { copyDatabase, silent } from './database.ts';
import { openToCommands } from './open-sandbox.ts';
import { makeRepository, temporaryFolder, type TestRepository } from './repository.ts';

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });

export type System = Awaited<ReturnType<typeof startSystem>>;

/** A metric that every mission of a test may set its target on. */
export const testMetric = 'test.errors';

/** @param environment variables that configure it, beside those of every test */
export async function startSystem(environment: Record<string, string> = {}) {
  const home = temporaryFolder();
  await openHome(home);
  const configFolder = join(home, 'config');
  await cp(join(projectRoot, 'config'), configFolder, { recursive: true });
  // Gates and notes of tests lie in the data directory, so their commands may see it; everything else is as shipped.
  await openToCommands(configFolder, home);
  const db = await copyDatabase();
  const [port, uiPort] = [await freePort(0), await freePort(0)];
  const server = temporalServer(inject('temporalBinary'), join(home, 'temporal.sqlite'), port, uiPort, 'default', 'normal');
  const log = openSync(join(home, 'temporal.log'), 'a');
  const temporalProcess = server.spawn([log, log]);
  await server.ready(AbortSignal.timeout(90_000));
  const config: Config = readConfig({ MISSION_CONTROL_HOME: home, MISSION_CONTROL_CONFIG: configFolder, DATABASE_URL: db.url, TEMPORAL_ADDRESS: server.address, MISSION_CONTROL_ENVIRONMENT: 'test', ...environment });

  const pepper = await pepperOf(home);
  const temporal = await createClient(config.temporal);
  const git = createGit(join(home, 'scratch', 'git-home'), config.git);
  const artifacts = createArtifacts(config.artifacts, db.database.query);
  const app = await buildApp({
    config, logger: silent, database: db.database, temporal, git, pepper, artifacts,
    catalog: createCatalog(config.configFolder, db.database), mirrors: createMirrors(git, join(home, 'mirrors'), config.repoRoots),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as { port: number }).port}`;

  const code = await readFile(workflowBundle, 'utf8');
  let worker: RunningWorker | undefined;
  const listener = new pg.Client({ connectionString: db.url });
  await listener.connect();
  await listener.query('LISTEN mission_control_events');

  const keys = new Map<string, string>();
  async function keyOf(id: string, role: Role, kind: PrincipalKind = role === 'agent' ? 'agent' : 'person'): Promise<string> {
    const key = keys.get(`${id}:${role}`) ?? newKeyText();
    if (!keys.has(`${id}:${role}`)) {
      keys.set(`${id}:${role}`, key);
      await addKey(db.database, pepper, key, { principal_id: id, role, kind, name: 'test', expires_at: null }, systemActor('test'));
    }
    return key;
  }
  /** Signs in as somebody, made when first named. */
  const as = async (...who: Parameters<typeof keyOf>): Promise<ApiClient> => createApi(url, await keyOf(...who));
  const admin = await as('root', 'admin');
  await admin.put(`/mission-control/metrics/${testMetric}`, { comparator: '<', target: 1 });

  /** Looks again whenever an event was written. */
  async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
    for (;;) {
      const noticed = new Promise<void>((resolve) => {
        const timer = setTimeout(done, 1_000);
        function done(): void {
          clearTimeout(timer);
          listener.off('notification', done);
          resolve();
        }
        listener.on('notification', done);
      });
      const found = await look();
      if (found !== undefined && found !== false) return found;
      await noticed;
    }
  }

  const system = {
    home, config, url, app, db, temporal, code, pepper, artifacts, git, as, until,
    reader: admin,
    headers: async (...who: Parameters<typeof keyOf>): Promise<{ authorization: string }> => ({ authorization: `Bearer ${await keyOf(...who)}` }),
    /** Replaces one file of this system's own configuration folder. */
    configure: (file: string, text: string): Promise<void> => writeFile(join(configFolder, file), text),
    async startWorker(): Promise<void> {
      worker = await startWorker(config, db.url, { code }, silent);
    },
    async stopWorker(): Promise<void> {
      worker?.stop();
      await worker?.done;
      worker = undefined;
    },
    repository: (files: Record<string, string>): TestRepository => makeRepository(join(home, 'repositories'), files),
    mission: (id: string) => admin.get<MissionDetail>(`/mission-control/missions/${id}`),
    /** Sends and starts a mission as the agent; whatever is not said is harmless. */
    async send(repository: TestRepository, diffs: string[], more: Record<string, unknown> = {}): Promise<MissionDetail> {
      const agent = await as('agent', 'agent');
      return agent.post<MissionDetail>('/mission-control/missions', { ...missionBody(repository, diffs), execute: true, ...more });
    },
    whenStatus: (id: string, done: (mission: MissionDetail) => boolean): Promise<MissionDetail> => until(async () => {
      const mission = await system.mission(id);
      if (isTerminal(mission.status) && !done(mission)) throw new Error(`${id} ended ${mission.status}: ${mission.ended_reason}`);
      return done(mission) && mission;
    }),
    whenEnded: (id: string): Promise<MissionDetail> => system.whenStatus(id, (mission) => isTerminal(mission.status)),
    whenWaiting: (id: string, kind: string): Promise<MissionDetail> =>
      system.whenStatus(id, (mission) => mission.waiting_on?.kind === kind),
    whenStage: (id: string, name: StageName, status = 'running'): Promise<MissionDetail> =>
      system.whenStatus(id, (mission) => mission.stages.some((stage) => stage.name === name && stage.status === status)),
    async approval(id: string): Promise<Approval> {
      await system.whenWaiting(id, 'approval');
      const { items } = await admin.get<{ items: Approval[] }>(`/mission-control/approvals?status=waiting&mission_id=${id}`);
      return items[0]!;
    },
    async decide(approval: Approval, verb: 'approve' | 'reject' = 'approve', who = 'approver'): Promise<void> {
      const approver = await as(who, 'approver');
      await approver.post(`/mission-control/approvals/${approval.approval_id}/${verb}`, { reason: 'seen', digests: approval.digests });
    },
    /** Asks for healing as an operator. */
    async heal(subsystem: string, body: Record<string, unknown>): Promise<MissionDetail> {
      const operator = await as('operator', 'operator');
      return operator.post<MissionDetail>(`/mission-control/subsystems/${subsystem}/heal`, { reason: 'a test', ...body });
    },
    capa: (id: string) => admin.get<Capa>(`/mission-control/capa/${id}`),
    stage: (mission: MissionDetail, name: StageName) => mission.stages.find((stage) => stage.name === name)!,
    async stop(): Promise<void> {
      await system.stopWorker();
      await app.close();
      await temporal.connection.close();
      await listener.end();
      temporalProcess.kill('SIGKILL');
      await db.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
  return system;
}

/** A whole, valid create body: unobserved, no approval asked for. */
export const missionBody = (repository: { path: string }, diffs: readonly string[]): Record<string, unknown> => ({
  title: 'Adding is wrong', subsystem_id: 'calculator', severity: 'medium', symptoms: [{ description: '2 + 2 is 0' }],
  acceptance_criteria: {
    must_pass_tests: ['adds'], observation_window_minutes: 0.005,
    observation_window: { metrics: 'none', reason: 'a test of the pipeline' },
  },
  trust_requirements: { requires_governance_approval: false },
  workspace: { repo_path: repository.path, patch_candidates: diffs.map((text) => ({ kind: 'diff', text })) },
});
