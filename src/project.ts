/** Where the project's own files are, from source and from the build alike. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'prisma', 'schema.prisma'))) return folder;
    if (dirname(folder) === folder) throw new Error(`no project root above ${start}`);
  }
}

export const projectRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

export const version: string =
  (JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string }).version;

export const migrationsFolder = join(projectRoot, 'prisma', 'migrations');
/** Built scripts that run as processes of their own, also when the caller runs from source. */
export const keeperScript = join(projectRoot, 'dist', 'activities', 'process', 'keeper.js');
export const forkServerScript = join(projectRoot, 'dist', 'fork-server', 'server.js');
export const sqliteTool = join(projectRoot, 'dist', 'activities', 'sqlite', 'tool.js');
/** The built web page. */
export const dashboardFolder = join(projectRoot, 'dist', 'dashboard');
export const workflowBundle = join(projectRoot, 'dist', 'workflow-bundle.js');
export const collectGarbageScript = join(projectRoot, 'src', 'activities', 'actions', 'service', 'collect-garbage.mjs');
const packageScripts = join(projectRoot, 'src', 'activities', 'actions', 'packages');
export const findPackages = join(packageScripts, 'find-packages.mjs');
export const findDistributions = join(packageScripts, 'find-distributions.py');
const processScripts = join(projectRoot, 'src', 'activities', 'process');
export const enterScript = join(processScripts, 'enter.sh');
export const joinScript = join(processScripts, 'join-groups.sh');
export const startScript = join(processScripts, 'start-command.sh');
export const sandboxProbe = join(processScripts, 'look-around.mjs');
/** What tests' own runners are given to load. */
export const reporterFolder = join(projectRoot, 'src', 'activities', 'reports');
export const nodeTestReporter = join(projectRoot, 'src', 'activities', 'reports', 'node-test-reporter.mjs');
/** Started inside of a command's sandbox, with the libraries beside it. */
export const httpLoad = join(projectRoot, 'src', 'activities', 'stress', 'http-load.mjs');
export const libraries = join(projectRoot, 'node_modules');
/** What runners load to report to us: `node-runners.cjs`, `mocha-reporter.cjs`, `python/sitecustomize.py`. */
export const askedReporters = join(projectRoot, 'src', 'activities', 'reports', 'asked');
export const sqliteCheck = join(projectRoot, 'src', 'activities', 'watching', 'sqlite-check.mjs');
