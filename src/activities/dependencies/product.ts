/** What a setup command left in a worktree: everything that is not of the commit. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Product {
  /** Files and folders that hold nothing of the commit, relative to the worktree, sorted. */
  roots: string[];
  files: number;
  /** Why it cannot be kept, or null. */
  problem: string | null;
}

const maxFiles = 300_000;

/** @param tracked every path of the commit */
export async function productOf(worktree: string, tracked: readonly string[]): Promise<Product> {
  const files = new Set(tracked);
  const folders = new Set(tracked.flatMap((path) => parentsOf(path)));
  const product: Product = { roots: [], files: 0, problem: null };
  const refuse = (problem: string): void => { product.problem ??= problem; };

  async function walk(folder: string, inside: boolean): Promise<void> {
    if (product.problem !== null) return;
    for (const entry of await readdir(join(worktree, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (path === '.git' || (!inside && files.has(path))) continue;
      if (!inside && folders.has(path) && entry.isDirectory()) {
        await walk(path, false);
        continue;
      }
      if (!inside) product.roots.push(path);
      product.files += 1;
      if (product.files > maxFiles) return refuse(`it is more than ${maxFiles} files`);
      // What cannot be decoded cannot be named again.
      if (path.includes('\uFFFD')) return refuse('a file name is not UTF-8');
      if (entry.isDirectory()) await walk(path, true);
      else if (!entry.isFile() && !entry.isSymbolicLink()) return refuse(`${path} is neither file, folder nor link`);
    }
  }
  await walk('', false);
  product.roots.sort();
  return product;
}

const parentsOf = (path: string): string[] => {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
};
