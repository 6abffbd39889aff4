/** All checks, in the order in which a person would mend things. Works when nothing runs. */
import { readConfig, type Config } from '../../../config.ts';
import type { RunFile } from '../../launcher/main.ts';
import { homeFolder, readRunFile } from '../connection.ts';
import { check, fail, ok, type Check } from './check.ts';
import { dataDirectory, diskSpace, gitVersion, nodeVersion, sandboxLevel } from './host.ts';
import { portsFree, postgres, temporal } from './servers.ts';
import { apiReady, clock, launcherAlive, workerThere } from './system.ts';

/** What the checks look at. */
export interface Subject {
  config: Config;
  home: string;
  /** What `run.json` says, when it is there. */
  run: RunFile | undefined;
}

export async function examine(): Promise<Check[]> {
  const host = [check('node', nodeVersion), check('git', gitVersion), check('sandbox', sandboxLevel)];
  let subject: Subject;
  try {
    subject = { config: readConfig(), home: homeFolder(), run: readRunFile() };
  } catch (error) {
    return Promise.all([...host, check('environment', () => fail((error as Error).message.replaceAll('\n', ' '), 'mend these variables (docs/operate.md lists them)'))]);
  }
  return Promise.all([
    ...host,
    check('environment', () => ok(`data directory ${subject.home}`)),
    check('data directory', () => dataDirectory(subject)),
    check('disk', () => diskSpace(subject)),
    check('launcher', () => launcherAlive(subject)),
    check('ports', () => portsFree(subject)),
    check('postgresql', () => postgres(subject)),
    check('temporal', () => temporal(subject)),
    check('clock', () => clock(subject)),
    check('api', () => apiReady(subject)),
    check('worker', () => workerThere(subject)),
  ]);
}
