import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { rm } from 'node:fs/promises';
import { readConfig } from '../../src/config.ts';
import { openHome } from '../../src/home.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { silent } from '../support/database.ts';
import { temporaryFolder } from '../support/repository.ts';

test.each(['git-credentials', 'git-ssh-key'])('a %s that others can read stops the start; one that is named and not there, too', async (name) => {
  const home = temporaryFolder();
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await openHome(home);
  const start = (environment: Record<string, string> = {}) => startWorker(
    readConfig({ MISSION_CONTROL_HOME: home, ...environment }), 'postgresql://127.0.0.1:9/none', undefined, silent);
  const file = join(home, 'keys', name);
  writeFileSync(file, 'https://user:token@example.com\n');
  chmodSync(file, 0o640);
  await expect(start()).rejects.toThrow(`INSECURE_PERMISSIONS: ${file} has mode 640`);
  const variable = name === 'git-credentials' ? 'MISSION_CONTROL_GIT_CREDENTIALS' : 'MISSION_CONTROL_GIT_SSH_KEY';
  chmodSync(file, 0o600);
  await expect(start({ [variable]: join(home, 'nowhere') })).rejects.toThrow(`there is no ${join(home, 'nowhere')}`);
});
