/**
 * Vetting of a patch: git applies it to an index of its own, and we look at the trees before and after.
 * No diff parser of ours stands between a hostile patch and its effect, and no worktree is touched.
 */
import type { Git } from './git.ts';
import { maxPathBytes } from './limits.ts';

export interface Change {
  path: string;
  old_mode: string;
  new_mode: string;
  old_blob: string;
  new_blob: string;
  status: string;
}

export type PatchRefusal = 'PATCH_PATH_FORBIDDEN' | 'PATCH_SYMLINK_FORBIDDEN' | 'SUBMODULE_FORBIDDEN' | 'PATCH_MODE_FORBIDDEN' | 'PATCH_NAME_COLLISION' | 'PATCH_LIMIT';

export interface Refused {
  code: PatchRefusal;
  /** Empty when it is the patch as a whole. */
  path: string;
  rule: string;
}

export interface Vetting { changes: Change[]; refused: Refused[] }

export const maxChangedFiles = 5_000;
export const maxBlobBytes = 50 * 1024 * 1024;

/** No system follows a longer one (PATH_MAX). */
const maxSymlinkBytes = 4_096;

const zero = /^0+$/;

/** Every file that differs between two trees, renames shown as delete and add. */
export async function changesBetween(git: Git, gitDir: string, from: string, to: string): Promise<Change[]> {
  const { stdout } = await git.run(
    ['diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-ext-diff', '--no-textconv', '--full-index', from, to], { gitDir });
  const fields = stdout.toString('utf8').split('\0');
  const changes: Change[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [old_mode, new_mode, old_blob, new_blob, status] = fields[i]!.slice(1).split(' ') as [string, string, string, string, string];
    changes.push({ path: fields[i + 1]!, old_mode, new_mode, old_blob, new_blob, status });
  }
  return changes;
}

/** Looks at every changed path; refused ones name the path, the rule and its code. */
export async function vet(git: Git, gitDir: string, base: string, tree: string): Promise<Vetting> {
  const changes = await changesBetween(git, gitDir, base, tree);
  if (changes.length > maxChangedFiles) return { changes, refused: [{ code: 'PATCH_LIMIT', path: '', rule: `more than ${maxChangedFiles} files changed` }] };
  const added = changes.filter((change) => !zero.test(change.new_mode));
  const refused: Refused[] = [];
  for (const change of added) refused.push(...refusedPath(change.path), ...(await refusedContent(git, gitDir, change)));
  refused.push(...await caseCollisions(git, gitDir, base, tree, added.filter((change) => zero.test(change.old_mode))));
  return { changes, refused };
}

function refusedPath(path: string): Refused[] {
  const refuse = (rule: string): Refused => ({ code: 'PATCH_PATH_FORBIDDEN', path, rule });
  return [
    ...(isDotGit(path) ? [refuse('a path of git itself')] : []),
    ...(path.split('/').some((part) => part === '..' || part === '.') ? [refuse('a path outside of the tree')] : []),
    ...(Buffer.byteLength(path) > maxPathBytes ? [refuse(`a path of more than ${maxPathBytes} bytes`)] : []),
  ];
}

async function refusedContent(git: Git, gitDir: string, { path, new_mode: mode, new_blob: blob }: Change): Promise<Refused[]> {
  const refuse = (code: PatchRefusal, rule: string): Refused[] => [{ code, path, rule }];
  const size = async (): Promise<number> => Number(await git.text(['cat-file', '-s', blob], { gitDir }));
  switch (mode) {
    case '160000': return refuse('SUBMODULE_FORBIDDEN', 'a submodule change');
    case '120000': {
      if (await size() > maxSymlinkBytes) return refuse('PATCH_SYMLINK_FORBIDDEN', `a symlink to more than ${maxSymlinkBytes} bytes`);
      const target = (await git.run(['cat-file', 'blob', blob], { gitDir })).stdout.toString('utf8');
      return leavesTree(path, target) ? refuse('PATCH_SYMLINK_FORBIDDEN', 'a symlink that leaves the tree') : [];
    }
    case '100644': case '100755':
      return await size() > maxBlobBytes ? refuse('PATCH_LIMIT', `larger than ${maxBlobBytes} bytes`) : [];
    default: return refuse('PATCH_MODE_FORBIDDEN', `file mode ${mode}`);
  }
}

// NTFS and HFS+ take these for `.git`: trailing dots and spaces, the short name, a stream, ignorable code points.
const ignorable = /[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u206a-\u206f\ufeff]/g;

/** Whether a path has a part that some file system takes for `.git`. */
export const isDotGit = (path: string): boolean =>
  path.split(/[/\\]/).some((part) => /^(\.git|git~\d+)$/i.test(part.replace(ignorable, '').replace(/:.*$/, '').replace(/[. ]+$/, '')));

/** Whether a symlink at `path` pointing to `target` leads out of the tree, or may. */
export function leavesTree(path: string, target: string): boolean {
  if (target.startsWith('/') || target.includes('\0')) return true;
  const parts = path.split('/').slice(0, -1);
  let named = false;
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') {
      parts.push(part);
      named = true;
    } else if (named || parts.pop() === undefined) {
      // `..` after a name leads from wherever that name leads: it may be a symlink itself.
      return true;
    }
  }
  return isDotGit(parts.join('/'));
}

/** Created files and folders that some file system takes for another one: on it the one would be written through the other. */
async function caseCollisions(
  git: Git, gitDir: string, base: string, tree: string, created: readonly Change[],
): Promise<Refused[]> {
  if (created.length === 0) return [];
  const pathsOf = async (of: string): Promise<string[]> =>
    (await git.run(['ls-tree', '-r', '-t', '-z', '--name-only', of], { gitDir })).stdout.toString('utf8').split('\0');
  const fold = (path: string): string => path.normalize('NFC').toLowerCase();
  const seen = new Map<string, number>();
  for (const path of await pathsOf(tree)) seen.set(fold(path), (seen.get(fold(path)) ?? 0) + 1);
  const collides = (path: string): boolean => (seen.get(fold(path)) ?? 0) > 1;
  const suspects = created.filter((change) => withFolders(change.path).some(collides));
  if (suspects.length === 0) return [];
  // Two folders that the base has already are the repository's own business.
  const before = new Set(await pathsOf(base));
  return suspects.filter((change) => withFolders(change.path).some((path) => collides(path) && !before.has(path)))
    .map((change) => ({ code: 'PATCH_NAME_COLLISION', path: change.path, rule: 'differs from another path only in case' }));
}

/** A path and every folder that it lies in. */
const withFolders = (path: string): string[] =>
  path.split('/').map((_, i, parts) => parts.slice(0, i + 1).join('/'));
