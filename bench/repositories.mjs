/** Git repositories for benches, made by fast-import: thousands of files and branches in a second. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

const who = 'Bench <bench@localhost>';
const environment = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };

/** git as the bench itself uses it. @returns its trimmed output */
export const git = (path, ...args) => execFileSync(
  'git', ['-C', path, '-c', 'user.name=Bench', '-c', 'user.email=bench@localhost', ...args],
  { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 256 * 1024 * 1024, env: environment }).trim();

const data = (text) => `data ${Buffer.byteLength(text)}\n${text}\n`;
const commitOf = (ref, from, message, at, files) => [
  `commit ${ref}\n`, `committer ${who} ${at} +0000\n`, data(message), from === undefined ? '' : `from ${from}\n`,
  ...Object.entries(files).map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`), '\n',
].join('');

/** Makes commits in a repository. Each is `{ref, from?, files}`; `from` is a commit or a ref. */
export function importCommits(path, commits) {
  const text = commits.map(({ ref, from, files }, i) => commitOf(ref, from, `Commit ${i}`, 1_700_000_000 + i, files)).join('');
  execFileSync('git', ['-C', path, 'fast-import', '--quiet', '--force'], { input: text, env: environment, stdio: ['pipe', 'ignore', 'pipe'] });
}

/** A bare repository with these files on `main`. @returns the path */
export function bareRepository(path, files) {
  mkdirSync(path, { recursive: true });
  git(path, 'init', '-q', '--bare', '-b', 'main');
  importCommits(path, [{ ref: 'refs/heads/main', files }]);
  return path;
}

/** Commits of the branch from oldest to newest, first parents only: `{commit, tree, parents}`. */
export const firstParents = (path, branch = 'main') => git(path, 'log', '--first-parent', '--reverse', '--format=%H %T %P', branch, '--')
  .split('\n').map((line) => { const [commit, tree, ...parents] = line.split(' '); return { commit, tree, parents: parents.filter(Boolean) }; });
