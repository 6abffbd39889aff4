/** Other engines to compare with. They are no dependency of the product: `bench/peers` installs them for itself, pinned. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'peers');

/** A package of `bench/peers`, which is installed on first use. @returns undefined when it cannot be had, saying why */
async function peer(name) {
  if (!existsSync(join(folder, 'node_modules', name))) {
    console.log(`installing ${name} into bench/peers, once …`);
    const { status, error, stderr } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, encoding: 'utf8', timeout: 120_000 });
    if (status !== 0) {
      console.log(`${name} cannot be installed, so it is not measured: ${error?.message ?? stderr.trim().slice(0, 500)}`);
      return undefined;
    }
  }
  return import(pathToFileURL(createRequire(join(folder, 'package.json')).resolve(name)).href);
}

/**
 * DBOS in this process, on a database of its own in the same PostgreSQL: a workflow with one step per stage.
 * @param steps by the workflow's name, what each of its steps does with a mission's id and a stage
 * @returns undefined when it cannot be had
 */
export async function startDbos(postgresUrl, stages, steps) {
  const sdk = await peer('@dbos-inc/dbos-sdk');
  if (sdk === undefined) return undefined;
  const { DBOS } = sdk;
  const url = new URL(postgresUrl);
  url.pathname = '/dbos';
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: url.href, systemDatabasePoolSize: 20, logLevel: 'error', runAdminServer: false });
  const workflows = Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, DBOS.registerWorkflow(async (id) => {
    for (const stage of stages) await DBOS.runStep(() => step(id, stage), { name: stage });
  }, { name })]));
  await DBOS.launch();
  return {
    url: url.href,
    async run(name, id) {
      const handle = await DBOS.startWorkflow(workflows[name], { workflowID: id })(id);
      await handle.getResult();
    },
    stop: () => DBOS.shutdown(),
  };
}
