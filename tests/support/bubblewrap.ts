/** A real bubblewrap: one that is installed, one we fetched before, or the distribution's package unpacked. */
import { execFile } from 'node:child_process';
import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mission-control', 'bubblewrap');
const cachedFolder = join(cache, 'usr', 'bin');

const executable = (path: string): Promise<boolean> => access(path, constants.X_OK).then(() => true, () => false);

/** The folder that the program is in, or why there is none. */
export async function findBubblewrap(): Promise<{ folder: string } | { missing: string }> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && await executable(join(folder, 'bwrap'))) return { folder };
  }
  if (await executable(join(cachedFolder, 'bwrap'))) return { folder: cachedFolder };
  await mkdir(join(cache, '..'), { recursive: true });
  const folder = await mkdtemp(`${cache}.`);
  try {
    await run('apt-get', ['download', 'bubblewrap'], { cwd: folder, timeout: 60_000 });
    const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
    if (deb === undefined) return { missing: 'apt-get download bubblewrap brought no package' };
    await run('dpkg-deb', ['-x', join(folder, deb), join(folder, 'unpacked')], { timeout: 60_000 });
    await chmod(join(folder, 'unpacked'), 0o755);
    // Whole or not at all: another test process may do the same.
    await rename(join(folder, 'unpacked'), cache).catch(() => undefined);
    return await executable(join(cachedFolder, 'bwrap')) ? { folder: cachedFolder } : { missing: 'the package holds no bwrap' };
  } catch (error) {
    return { missing: `not on PATH, not in ${cache}, and apt-get download failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
