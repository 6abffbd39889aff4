/** Reads a unified diff for showing. It only has to be looked at, so nothing is refused: what is not understood is a note. */

export interface DiffLine { kind: 'context' | 'added' | 'removed' | 'note'; text: string; before: number | null; after: number | null }
export interface DiffHunk { header: string; lines: DiffLine[] }
export interface DiffFile { path: string; was: string | null; added: number; removed: number; hunks: DiffHunk[]; notes: string[] }

/** `a/x` and `b/x` are both `x`; the absent side of a new or deleted file is null. */
function side(text: string): string | null {
  const path = text.split('\t')[0]!.trim().replace(/^"(.*)"$/, '$1');
  return path === '/dev/null' ? null : path.replace(/^[ab]\//, '');
}

export function parseUnifiedDiff(text: string): DiffFile[] {
  const files: DiffFile[] = [];
  const lines = text.replace(/\n$/, '').split('\n');
  let file: DiffFile | undefined;
  let before = 0;
  let after = 0;
  // What is left of the present hunk: inside of it, a line like `--- a` is a removed `-- a`.
  let left = { before: 0, after: 0 };
  const begin = (path: string): DiffFile => {
    const next: DiffFile = { path, was: null, added: 0, removed: 0, hunks: [], notes: [] };
    files.push(next);
    return next;
  };

  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i]!;
    const hunk = file?.hunks.at(-1);
    if (file !== undefined && hunk !== undefined && (left.before > 0 || left.after > 0) && /^[ +\\-]|^$/.test(line)) {
      const mark = line[0] ?? ' ';
      const rest = line.slice(1);
      if (mark === '+') {
        hunk.lines.push({ kind: 'added', text: rest, before: null, after });
        after += 1;
        left.after -= 1;
        file.added += 1;
      } else if (mark === '-') {
        hunk.lines.push({ kind: 'removed', text: rest, before, after: null });
        before += 1;
        left.before -= 1;
        file.removed += 1;
      } else if (mark === '\\') {
        hunk.lines.push({ kind: 'note', text: rest.trim(), before: null, after: null });
      } else {
        hunk.lines.push({ kind: 'context', text: rest, before, after });
        before += 1;
        after += 1;
        left = { before: left.before - 1, after: left.after - 1 };
      }
      continue;
    }
    const header = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (header !== null) {
      file ??= begin('(unnamed)');
      [before, after] = [Number(header[1]), Number(header[3])];
      left = { before: Number(header[2] ?? 1), after: Number(header[4] ?? 1) };
      file.hunks.push({ header: line, lines: [] });
    } else if (line.startsWith('diff --git ')) {
      file = begin(side(line.slice(line.lastIndexOf(' b/') + 1)) ?? line);
    } else if (line.startsWith('--- ') && lines[i + 1]?.startsWith('+++ ')) {
      const was = side(line.slice(4));
      const is = side(lines[i + 1]!.slice(4));
      // A plain diff has no `diff --git` line: then this is where the next file begins.
      if (file === undefined || file.hunks.length > 0) file = begin(is ?? was ?? '(unnamed)');
      file.path = is ?? was ?? file.path;
      file.was = was !== is ? was : null;
      i += 1;
    } else if (line.startsWith('\\')) {
      hunk?.lines.push({ kind: 'note', text: line.slice(1).trim(), before: null, after: null });
    } else if (/^(new file|deleted file|rename|copy|similarity|old mode|new mode|Binary)/.test(line)) {
      file?.notes.push(line);
    }
  }
  return files;
}
