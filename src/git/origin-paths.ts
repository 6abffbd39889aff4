/**
 * A local origin may borrow: objects by `alternates`, a whole repository by a `.git` file or a symlink. Git follows all of
 * that, and would hand us what lies outside of the roots that missions may read.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';

/** Alternates of alternates: git itself ends at five. */
const maxDepth = 5;

/** @returns the first place outside of the roots that git would read for this origin; undefined when there is none */
export async function outsideOfRoots(origin: string, roots: readonly string[]): Promise<string | undefined> {
  const allowed = (await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)))).filter((root) => root !== undefined);
  const isInside = (path: string): boolean => allowed.some((root) => path === root || path.startsWith(root + sep));

  for (const place of await placesOf(origin)) {
    const real = await realpath(place).catch(() => undefined);
    if (real !== undefined && !isInside(real)) return place;
  }
  return undefined;
}

/** Everything that git goes through on its way to the objects, and every link among them. */
async function placesOf(origin: string): Promise<string[]> {
  const gitFolder = await gitFolderOf(origin);
  const common = await readFile(join(gitFolder, 'commondir'), 'utf8').then((text) => resolve(gitFolder, text.trim()), () => gitFolder);
  const places = [origin, gitFolder, common];
  let stores = [join(common, 'objects')];
  for (let depth = 0; depth <= maxDepth && stores.length > 0; depth += 1) {
    const lenders: string[] = [];
    for (const store of stores) {
      places.push(store, ...(await linksIn(store)), ...(await linksIn(join(store, 'pack'))), ...(await linksIn(join(store, 'info'))));
      lenders.push(...(await alternatesOf(store)));
    }
    stores = lenders;
  }
  return [...places, ...stores];
}

async function gitFolderOf(origin: string): Promise<string> {
  const inner = join(origin, '.git');
  const found = await stat(inner).catch(() => undefined);
  if (found === undefined) return origin;
  if (found.isDirectory()) return inner;
  const text = await readFile(inner, 'utf8').catch(() => '');
  return resolve(origin, text.replace(/^gitdir: /, '').trimEnd());
}

const linksIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.isSymbolicLink()).map(({ name }) => join(folder, name));

/** A quoted line, as git writes paths with odd characters, could name anything: it stands for the root of the file system. */
async function alternatesOf(store: string): Promise<string[]> {
  const text = await readFile(join(store, 'info', 'alternates'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => (line.startsWith('"') ? '/' : resolve(store, line)));
}
