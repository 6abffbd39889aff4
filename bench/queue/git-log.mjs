/** A `git` to be first on PATH: notes which git command was started, then becomes the real one. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @returns the PATH to start a system with, and what was started since the log was last emptied */
export function watchGit(folder) {
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'commands');
  const real = execFileSync('/bin/sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  // A checkout is named by -C, a repository by --git-dir: what is done for a test's checkout, or for the ledger's
  // checkpoints, can be told from the rest.
  writeFileSync(join(folder, 'git'), `#!/bin/sh
word= skip= place=nowhere
for a in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case "$a" in
    -c) skip=1 ;;
    -C) skip=1 place=checkout ;;
    --git-dir=*/mirrors/*) place=mirror ;;
    --git-dir=*) place=elsewhere ;;
    -*) ;;
    *) word=$a; break ;;
  esac
done
echo "$place $word" >> '${log}'
exec '${real}' "$@"
`);
  chmodSync(join(folder, 'git'), 0o755);
  const empty = () => writeFileSync(log, '');
  empty();
  return {
    path: `${folder}:${process.env.PATH}`, empty,
    /** `[{place, word}]` in the order they were started. */
    started: () => readFileSync(log, 'utf8').split('\n').filter(Boolean).map((line) => { const [place, word] = line.split(' '); return { place, word }; }),
  };
}

/** "5 × fetch, 3 × push": how often each, most often first. */
export function tally(words) {
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}
