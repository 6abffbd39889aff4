/** A program of a Debian package: one that is installed, one fetched before, or the package unpacked into our cache. */
import { execFile } from 'node:child_process';
import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const executable = (path: string): Promise<boolean> => access(path, constants.X_OK).then(() => true, () => false);

/** The folder that the program is in, or why there is none. */
export async function findInPackage(name: string, program: string): Promise<{ folder: string } | { missing: string }> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mission-control', name);
  const cachedFolder = join(cache, 'usr', 'bin');
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && await executable(join(folder, program))) return { folder };
  }
  if (await executable(join(cachedFolder, program))) return { folder: cachedFolder };
  await mkdir(join(cache, '..'), { recursive: true });
  const folder = await mkdtemp(`${cache}.`);
  try {
    await run('apt-get', ['download', name], { cwd: folder, timeout: 60_000 });
    const deb = (await readdir(folder)).find((file) => file.endsWith('.deb'));
    if (deb === undefined) return { missing: `apt-get download ${name} brought no package` };
    await run('dpkg-deb', ['-x', join(folder, deb), join(folder, 'unpacked')], { timeout: 60_000 });
    // Others than its owner must reach the program, too.
    await chmod(join(folder, 'unpacked'), 0o755);
    // Whole or not at all: another test process may do the same.
    await rename(join(folder, 'unpacked'), cache).catch(() => undefined);
    return await executable(join(cachedFolder, program)) ? { folder: cachedFolder } : { missing: `the package holds no ${program}` };
  } catch (error) {
    return { missing: `not on PATH, not in ${cache}, and apt-get download failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
