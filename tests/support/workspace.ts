/** The parts that work on repositories, real ones, without a server: git, mirrors, worktrees, processes, artefacts. */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { checkActivities } from '../../src/activities/checks.ts';
import { readSettings } from '../../src/activities/settings.ts';
import { workspaceActivities } from '../../src/activities/workspace.ts';
import { diagnosticsActivities } from '../../src/activities/diagnostics.ts';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { tidyActivities } from '../../src/activities/tidy/tidy.ts';
import { prepareWorktree, type ReadyWorktree } from '../../src/activities/worktree.ts';
import { createProcessRunner } from '../../src/activities/process/runner.ts';
import { readConfig } from '../../src/config.ts';
import { systemActor } from '../../src/domain/actor.ts';
import type { AppliedCandidate, CommitRef, DiagnosticsInput, TestsResult } from '../../src/domain/coding.ts';
import type { CommandSpec } from '../../src/domain/commands.ts';
import type { TidyReport } from '../../src/domain/workspaces.ts';
import type { StageOutcome } from '../../src/domain/stages.ts';
import { createGit } from '../../src/git/git.ts';
import { createMirrors, type RepositoryRef } from '../../src/git/mirror.ts';
import { createWorktrees } from '../../src/git/worktrees.ts';
import { openHome } from '../../src/home.ts';
import { projectRoot } from '../../src/project.ts';
import { createArtifacts } from '../../src/store/artifacts.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { registerRepository } from '../../src/store/repositories.ts';
import { copyDatabase, silent } from './database.ts';
import { makeRepository, temporaryFolder, type TestRepository } from './repository.ts';

export type Workspace = Awaited<ReturnType<typeof openWorkspace>>;

const asActivity = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work);

/** @param environment variables that configure it, beside those of every test */
export async function openWorkspace(environment: Record<string, string> = {}) {
  const home = temporaryFolder();
  await openHome(home);
  const db = await copyDatabase();
  const configFolder = join(home, 'config');
  await cp(join(projectRoot, 'config'), configFolder, { recursive: true });
  const config = readConfig({ MISSION_CONTROL_HOME: home, MISSION_CONTROL_CONFIG: configFolder, DATABASE_URL: db.url, MISSION_CONTROL_ENVIRONMENT: 'test', ...environment });
  const git = createGit(join(home, 'scratch', 'git-home'), config.git);
  const mirrors = createMirrors(git, join(home, 'mirrors'), config.repoRoots);
  const processes = createProcessRunner(join(home, 'scratch'));
  const limits = { slots: 50 };
  const worktrees = createWorktrees(git, mirrors, db.database, join(home, 'worktrees'), 'this-host', { bound: async () => limits.slots, sweep: (holder) => processes.sweep(holder) });
  const artifacts = createArtifacts(config.artifacts, db.database.query);
  // Nobody waits for anything here: what is told to other workflows is told to nobody.
  const temporal = { workflow: { getHandle: () => ({ signal: async () => undefined }) } };
  const catalog = createCatalog(config.configFolder, db.database);
  const deps = { config, logger: silent, database: db.database, artifacts, catalog, git, mirrors, worktrees, processes, hostId: 'this-host', hostQueue: 'workspace:this-host', temporal } as unknown as ActivityDeps;

  let missions = 0;

  const workspace = {
    home, db, git, mirrors, worktrees, processes, artifacts, deps, limits,
    repository: (files: Record<string, string>): TestRepository => makeRepository(join(home, 'repositories'), files),
    /** Replaces config/workspaces.yaml. */
    configure: (text: string): Promise<void> => writeFile(join(configFolder, 'workspaces.yaml'), text),
    /** Registers the repository and fetches its main branch. */
    async fetched(repository: TestRepository): Promise<RepositoryRef & { base: CommitRef; gitDir: string }> {
      const { repository_id, origin, kind } = await registerRepository(db.database, {
        name: repository.path.split('/').at(-1)!, origin: repository.path, kind: 'path', default_branch: 'main',
        settings: { commands: {}, stress_thresholds: [], protected_paths: [] },
      }, systemActor('test'));
      const base = await mirrors.fetchTip({ repository_id, origin, kind }, 'main');
      return { repository_id, origin, kind, base, gitDir: mirrors.pathOf(repository_id) };
    },
    /** Stage 3 as the worker runs it. */
    async apply(repository: { repository_id: string; base: CommitRef }, diff: string | Buffer, mission = 'MC-1'): Promise<AppliedCandidate> {
      const { sha256, size_bytes } = await artifacts.put(diff, 'text/x-diff');
      return asActivity(() => workspaceActivities(deps).applyCandidate({
        mission_id: mission, attempt: 1, repository_id: repository.repository_id, base: repository.base,
        candidate: { kind: 'diff', artifact: sha256, size_bytes }, number: 1, protected_paths: ['.github/**'],
        commit_time: '2026-01-02T03:04:05Z', message: 'A candidate',
      }));
    },
    /** A worktree with its dependencies, as every stage that runs something gets it. */
    prepare: (repository: { repository_id: string }, at: CommitRef, setup: CommandSpec | null, holder = 'MC-1'): Promise<ReadyWorktree> =>
      asActivity(() => prepareWorktree(deps, repository.repository_id, holder, at, setup, AbortSignal.timeout(60_000))),
    /** The janitor's turn as the worker runs it. */
    tidy: (): Promise<TidyReport> => asActivity(() => tidyActivities(deps).tidyWorkspaces()),
    /** Stages 1 to 4 as the worker runs them: what the base's own files say is run on the base and with the changes. */
    async tested(repository: TestRepository, changes: Record<string, string | null>, must_pass_tests: string[] = []): Promise<TestsResult> {
      const fetched = await workspace.fetched(repository);
      missions += 1;
      const mission_id = `MC-tested-${missions}`;
      const { commands } = await readSettings(git, fetched.gitDir, fetched.base.commit, { commands: {}, stress_thresholds: [], protected_paths: [] });
      const { candidate } = await workspace.apply(fetched, repository.diff(changes), mission_id);
      return asActivity(() => checkActivities(deps).runTests({
        mission_id, attempt: 1, repository_id: fetched.repository_id, base: fetched.base, candidate: candidate!,
        setup: commands.setup ?? null, test: commands.test!, must_pass_tests,
      }));
    },
    /** Stage 6 as the worker runs it. */
    diagnose: (input: DiagnosticsInput): Promise<StageOutcome> => asActivity(() => diagnosticsActivities(deps).publishDiagnostics(input)),
    async close(): Promise<void> {
      await db.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
  return workspace;
}

/** A tree made entry by entry, as `git mktree` takes it, without any of the checks that git does on paths. */
export interface TreeEntry { mode: string; name: string; text?: string; entries?: TreeEntry[]; id?: string }

export async function makeTree({ git }: Pick<Workspace, 'git'>, gitDir: string, entries: readonly TreeEntry[]): Promise<string> {
  const lines: string[] = [];
  for (const { mode, name, text, entries: inner, id } of entries) {
    if (inner !== undefined) lines.push(`040000 tree ${await makeTree({ git }, gitDir, inner)}\t${name}`);
    else if (mode === '160000') lines.push(`160000 commit ${id ?? '1'.repeat(40)}\t${name}`);
    else lines.push(`${mode} blob ${await git.text(['hash-object', '-w', '--stdin'], { gitDir, input: text ?? 'text\n' })}\t${name}`);
  }
  return git.text(['mktree', '-z', '--missing'], { gitDir, input: lines.map((line) => `${line}\0`).join('') });
}
