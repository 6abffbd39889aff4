import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createGit } from '../../src/git/git.ts';
import { ledgerPaths } from '../../src/home.ts';
import { checkpointRef, publishCheckpoints } from '../../src/worker/checkpoints.ts';
import { silent } from '../support/database.ts';
import { temporaryFolder } from '../support/repository.ts';

test('a git that was killed while it published does not stop the next', async () => {
  const home = temporaryFolder();
  const git = createGit(home, readConfig({ MISSION_CONTROL_HOME: home }).git);
  const paths = ledgerPaths(home);
  await mkdir(paths.folder);
  const publish = async (note: string): Promise<void> => {
    const publisher = publishCheckpoints(paths, git, silent);
    publisher.publish(note);
    await publisher.stop();
  };
  await publish('log\n1\nroot\n');
  // What kill -9 leaves behind between the lock and the rename.
  const lock = join(paths.repository, `${checkpointRef}.lock`);
  await writeFile(lock, '');
  await utimes(lock, 1, 1);
  await publish('log\n2\nroot\n');
  expect(await git.text(['cat-file', 'blob', `${checkpointRef}:checkpoint`], { gitDir: paths.repository })).toBe('log\n2\nroot');
});
