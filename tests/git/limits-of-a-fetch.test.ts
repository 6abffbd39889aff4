import { createServer } from 'node:net';
import { deflateSync } from 'node:zlib';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createGit } from '../../src/git/git.ts';
import { createMirrors } from '../../src/git/mirror.ts';
import type { GitLimits } from '../../src/git/limits.ts';
import type { TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

const MiB = 1024 * 1024;

/** Mirrors of their own under these limits, all else as configured. */
function mirrorsWith(limits: Partial<GitLimits>) {
  const { config } = workspace.deps;
  const git = createGit(join(workspace.home, 'scratch', 'git-home'), { ...config.git, limits: { ...config.git.limits, ...limits } });
  const folder = join(workspace.home, `mirrors-${randomBytes(4).toString('hex')}`);
  return { git, folder, mirrors: createMirrors(git, folder, config.repoRoots) };
}

const refOf = (repository: TestRepository) => ({ repository_id: 'repo_limits', origin: repository.path, kind: 'path' as const });

/** A commit on main of a tree that no folder could hold: its objects are written one by one. */
function commitTree(repository: TestRepository, tree: string): void {
  const commit = repository.git('commit-tree', tree, '-m', 'hostile').trim();
  repository.git('update-ref', 'refs/heads/main', commit);
}

const writeTree = async (repository: TestRepository, lines: string[]): Promise<string> =>
  workspace.git.text(['mktree', '-z', '--missing'], { gitDir: join(repository.path, '.git'), input: lines.map((line) => `${line}\0`).join('') });

test('a pack that is larger than the limit: REPO_LIMIT, nothing of it stays, and a small branch still comes', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  repository.git('branch', 'small');
  repository.commit({ 'noise.bin': randomBytes(3 * MiB).toString('latin1') });
  const { mirrors, folder } = mirrorsWith({ pack_bytes: MiB });
  await expect(mirrors.fetchTip(refOf(repository), 'main')).rejects.toMatchObject({ type: 'REPO_LIMIT', nonRetryable: true, message: expect.stringContaining(repository.path) });
  const left = readdirSync(join(folder, 'repo_limits.git', 'objects'), { recursive: true, encoding: 'utf8' }).filter((name) => /tmp|\.pack$/.test(name));
  expect(left).toEqual([]);
  expect(await mirrors.fetchTip(refOf(repository), 'small')).toEqual({ commit: repository.tip('small'), tree: repository.tree('small') });
});

test('a file of the tree that is larger than the limit, a few kilobytes as they travel: REPO_LIMIT, each time it is asked for', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n', 'zeros.bin': '\0'.repeat(2 * MiB) });
  const { mirrors } = mirrorsWith({ file_bytes: MiB });
  for (let i = 0; i < 2; i += 1) {
    await expect(mirrors.fetchTip(refOf(repository), 'main')).rejects.toMatchObject({ type: 'REPO_LIMIT', message: expect.stringContaining(`zeros.bin is larger than ${MiB} bytes`) });
  }
});

test('a tree of 10,000,000,000 files in eleven objects: REPO_LIMIT after the first thousand', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  let tree = await writeTree(repository, [`100644 blob ${repository.git('rev-parse', 'HEAD:a.txt').trim()}\tfile`]);
  for (let level = 0; level < 10; level += 1) {
    tree = await writeTree(repository, Array.from({ length: 10 }, (_, i) => `040000 tree ${tree}\td${i}`));
  }
  commitTree(repository, tree);
  const { mirrors } = mirrorsWith({ tree_entries: 1_000 });
  await expect(mirrors.fetchTip(refOf(repository), 'main')).rejects.toMatchObject({ type: 'REPO_LIMIT', message: expect.stringContaining('more than 1000 files and folders') });
});

test('folders 4,096 deep: REPO_LIMIT', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const gitDir = join(repository.path, '.git');
  // One process for all of them: the ids of nested trees can be worked out here.
  let inner = Buffer.from(repository.git('rev-parse', 'HEAD:a.txt').trim(), 'hex');
  const objects = Array.from({ length: 4_096 }, (_, level) => {
    const content = Buffer.concat([Buffer.from(level === 0 ? '100644 f\0' : '40000 d\0'), inner]);
    inner = createHash('sha1').update(`tree ${content.length}\0`).update(content).digest();
    return content;
  });
  await workspace.git.run(['unpack-objects', '-q'], { gitDir, input: packOf(objects) });
  commitTree(repository, inner.toString('hex'));
  await expect(mirrorsWith({}).mirrors.fetchTip(refOf(repository), 'main')).rejects.toMatchObject({ type: 'REPO_LIMIT', message: expect.stringContaining('a path of more than 3500 bytes') });
});

/** A pack of whole trees, none of them as a delta. */
function packOf(trees: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12);
  header.write('PACK');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(trees.length, 8);
  const body = trees.flatMap((tree) => [tree.length < 16 ? Buffer.from([0x20 | tree.length]) : Buffer.from([0xa0 | (tree.length & 15), tree.length >> 4]), deflateSync(tree)]);
  const pack = Buffer.concat([header, ...body]);
  return Buffer.concat([pack, createHash('sha1').update(pack).digest()]);
}

test('deltas that unpack to more than the memory allowed: REPO_LIMIT', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  // Two versions of a file that differ in a line: the second travels as a delta, and is put together in memory.
  const version = (line: string): string => `${'a line of a file like any other\n'.repeat(1_200_000)}${line}\n`;
  repository.commit({ 'large.txt': version('one') });
  repository.commit({ 'large.txt': version('two') });
  repository.git('-c', 'core.bigFileThreshold=1g', 'repack', '-adfq');
  const { mirrors } = mirrorsWith({ memory_bytes: 24 * MiB });
  await expect(mirrors.fetchTip(refOf(repository), 'main')).rejects.toMatchObject({ type: 'REPO_LIMIT' });
  expect(await mirrorsWith({}).mirrors.fetchTip(refOf(repository), 'main')).toMatchObject({ commit: repository.tip() });
});

/** Takes connections and never says anything. */
async function silentServer(): Promise<{ origin: string; connected: Promise<unknown> }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => { sockets.add(socket); });
  const connected = new Promise((resolve) => { server.once('connection', resolve); });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { origin: `https://127.0.0.1:${(server.address() as { port: number }).port}/a.git`, connected };
}

test('an origin that takes the connection and says nothing is given up on: the question as unreachable, the fetch as REPO_LIMIT', async () => {
  const { origin } = await silentServer();
  const { mirrors } = mirrorsWith({ ask_seconds: 0.5, transfer_seconds: 0.5 });
  await expect(mirrors.hasBranch(origin, 'main')).rejects.toMatchObject({ type: 'REPOSITORY_UNREACHABLE', message: expect.stringContaining('time limit') });
  await expect(mirrors.fetchTip({ repository_id: 'repo_limits', origin, kind: 'url' }, 'main')).rejects.toMatchObject({ type: 'REPO_LIMIT', message: expect.stringContaining('within 0.5 s') });
});

/** Resolves once no process has the text in its command line. */
async function whenNobodySays(text: string): Promise<void> {
  const said = (pid: string): string => {
    try { return readFileSync(`/proc/${pid}/cmdline`, 'utf8'); } catch { return ''; }
  };
  while (readdirSync('/proc').some((name) => /^\d+$/.test(name) && said(name).includes(text))) await new Promise((resolve) => { setTimeout(resolve, 20); });
}

test('cancelling a fetch that waits for such an origin ends it and its helpers', async () => {
  const { origin, connected } = await silentServer();
  const { mirrors } = mirrorsWith({});
  const cancel = new AbortController();
  const fetched = mirrors.fetchTip({ repository_id: 'repo_limits', origin, kind: 'url' }, 'main', cancel.signal);
  void connected.then(() => cancel.abort());
  await expect(fetched).rejects.toMatchObject({ name: 'AbortError' });
  await whenNobodySays(origin);
});
