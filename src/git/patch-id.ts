/** What a change does, as a digest: the same on another base as long as it does the same. */
import { createHash } from 'node:crypto';
import type { Git } from './git.ts';

/**
 * Like git-patch-id, without its second process and stricter: white space counts. Line numbers and blob ids do not; what
 * is binary is compared by its bytes.
 * @returns hex sha256
 */
export async function patchIdOf(git: Git, gitDir: string, from: string, to: string): Promise<string> {
  const diff = await git.run(['diff-tree', '-r', '-p', '-U3', '--full-index', '--no-renames', '--no-ext-diff', '--no-textconv', '--binary', from, to], { gitDir });
  const hash = createHash('sha256');
  for (const line of linesOf(diff.stdout)) if (counts(line)) hash.update(line).update('\n');
  return hash.digest('hex');
}

/** Left out: `index <blob>..<blob>` and `@@ -1,2 +3,4 @@ heading`. Lines of a file begin with a sign and never look like that. */
const counts = (line: Buffer): boolean => !startsWith(line, 'index ') && !startsWith(line, '@@ ');
const startsWith = (line: Buffer, text: string): boolean => line.subarray(0, text.length).toString('latin1') === text;

function* linesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(10, at);
    yield bytes.subarray(at, end < 0 ? bytes.length : end);
    at = end < 0 ? bytes.length : end + 1;
  }
}
