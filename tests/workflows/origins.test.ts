import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { bareCopy, makeCertificate, movedTo, serveGit, sshStandIn } from '../support/git-server.ts';
import { call, expectProblem, keyFor } from '../support/http.ts';
import { calculator, fixedAdd, makeRepository, temporaryFolder, type TestRepository } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

const login = { user: 'mission', password: 'token-7f3a9c' };
let system: System;
let source: TestRepository;
let diff: string;
let outside: string;
let ssh: ReturnType<typeof sshStandIn>;
let open: Awaited<ReturnType<typeof serveGit>>;
let locked: Awaited<ReturnType<typeof serveGit>>;
let credentials: string;
let operator: string;

beforeAll(async () => {
  outside = temporaryFolder();
  source = makeRepository(outside, calculator);
  diff = source.diff(fixedAdd);
  const certificate = makeCertificate(outside);
  ssh = sshStandIn(outside);
  open = await serveGit(join(outside, 'served'), certificate);
  locked = await serveGit(join(outside, 'served'), certificate, login);
  credentials = join(outside, 'credentials of ours');
  writeFileSync(credentials, `${locked.url.replace('https://', `https://${login.user}:${login.password}@`)}\n`, { mode: 0o600 });
  writeFileSync(join(outside, 'a key'), 'a key\n', { mode: 0o600 });
  vi.stubEnv('PATH', `${ssh.path}:${process.env['PATH']}`);
  system = await startSystem({
    MISSION_CONTROL_GIT_CREDENTIALS: credentials, MISSION_CONTROL_GIT_CA_FILE: certificate.certFile,
    MISSION_CONTROL_GIT_SSH_KEY: join(outside, 'a key'), MISSION_CONTROL_GIT_KNOWN_HOSTS: join(outside, 'known'),
  });
  await system.startWorker();
  operator = await keyFor(system, 'an-operator', 'operator');
});
afterAll(async () => {
  await system.stop();
  await Promise.all([open.close(), locked.close()]);
  vi.unstubAllEnvs();
  rmSync(outside, { recursive: true, force: true });
});

const register = (json: Record<string, unknown>) => call(system.url, '/mission-control/repositories', { key: operator, json });

async function registered(name: string, where: Record<string, unknown>): Promise<string> {
  const answer = await register({ name, ...where });
  expect(answer.status, answer.text).toBe(201);
  return name;
}

async function send(name: string, more: Record<string, unknown> = {}): Promise<MissionDetail> {
  const body = missionBody(source, [diff]);
  const workspace = { repository: name, patch_candidates: (body['workspace'] as { patch_candidates: unknown[] }).patch_candidates };
  return (await system.as('agent', 'agent')).post<MissionDetail>('/mission-control/missions', { ...body, workspace, execute: true, ...more });
}

const inBare = (path: string, ...args: string[]): string => execFileSync('git', [`--git-dir=${path}`, ...args], { encoding: 'utf8' });

/** Six missions share the machine with whatever else runs on it. */
const missionMs = 180_000;

describe('a mission lands', () => {
  const sent = new Map<string, { id: string; path: string }>();
  let checkedOut: TestRepository;
  let dirty: TestRepository;

  // All at once, as missions come: each test then looks at one of them.
  beforeAll(async () => {
    checkedOut = system.repository(calculator);
    dirty = system.repository(calculator);
    writeFileSync(join(dirty.path, 'add.js'), '// being edited\n');
    const bare = bareCopy(source.path, join(system.home, 'repositories'), 'bare.git');
    const overSsh = bareCopy(source.path, join(outside, 'ssh'), 'repo.git');
    const [inOpen, inLocked] = ['open.git', 'locked.git'].map((name) => bareCopy(source.path, join(outside, 'served'), name)) as [string, string];
    for (const [name, where, path] of [
      ['bare', { path: bare }, bare], ['checked-out', { path: checkedOut.path }, join(checkedOut.path, '.git')], ['dirty', { path: dirty.path }, join(dirty.path, '.git')],
      ['https-open', { url: `${open.url}/open.git` }, inOpen], ['https-locked', { url: `${locked.url}/locked.git` }, inLocked],
      ['ssh', { url: `ssh://git@origin.example${overSsh}` }, overSsh],
    ] as const) {
      const { mission_id: id } = await send(await registered(name, where));
      sent.set(name, { id, path });
    }
  });

  /** The mission ended well, and the origin has exactly its commit on top, with both parents. */
  async function expectLanded(name: string): Promise<MissionDetail> {
    const { id, path } = sent.get(name)!;
    const mission = await system.whenEnded(id);
    expect(mission, mission.ended_reason ?? '').toMatchObject({ status: 'resolved', outcome: 'landed' });
    expect(inBare(path, 'rev-parse', 'main').trim()).toBe(mission.landed_commit);
    expect(inBare(path, 'log', '-1', '--format=%P', 'main').trim().split(' ')).toHaveLength(2);
    expect(inBare(path, 'show', 'main:add.js')).toBe(fixedAdd['add.js']);
    expect(inBare(path, 'fsck', '--full', '--strict')).toBe('');
    return mission;
  }

  test('on a bare repository', async () => { await expectLanded('bare'); }, missionMs);

  test('on a repository with the branch checked out: its working copy follows', async () => {
    await expectLanded('checked-out');
    expect(readFileSync(join(checkedOut.path, 'add.js'), 'utf8')).toBe(fixedAdd['add.js']);
    expect(checkedOut.git('status', '--porcelain')).toBe('');
  }, missionMs);

  test('over https, where anybody may come in', async () => { await expectLanded('https-open'); }, missionMs);

  test('over https with a password, which is in the operator\'s file and nowhere else', async () => {
    const mission = await expectLanded('https-locked');
    expect(locked.refused(), 'the server asked for it').toBeGreaterThan(0);
    expect(locked.leaks).toEqual([]);
    expect(JSON.stringify(mission)).not.toContain(login.password);
    const rows = await system.db.database.query<{ text: string }>('SELECT payload::text AS text FROM event_payloads UNION ALL SELECT origin FROM repositories');
    expect(rows.filter(({ text }) => text.includes(login.password))).toEqual([]);
    expect(readFileSync(credentials, 'utf8')).toContain(login.password);
  }, missionMs);

  test('over ssh, by the operator\'s key and known hosts, without a question', async () => {
    await expectLanded('ssh');
    const calls = readFileSync(ssh.calls, 'utf8').trim().split('\n');
    expect(calls.some((line) => line.includes('git-upload-pack'))).toBe(true);
    expect(calls.some((line) => line.includes('git-receive-pack'))).toBe(true);
    for (const line of calls) {
      expect(line).toContain('-F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes');
      expect(line).toContain(`-o UserKnownHostsFile="${join(outside, 'known')}" -o GlobalKnownHostsFile=/dev/null`);
      expect(line).toContain(`-o IdentityFile="${join(outside, 'a key')}"`);
      expect(line).toMatch(/ git@origin\.example git-/);
    }
  }, missionMs);

  test('on one whose working copy was being edited, after it says so and the edit is gone', async () => {
    const { id } = sent.get('dirty')!;
    const waiting = await system.whenStatus(id, (mission) => mission.waiting_on?.kind === 'landing' && mission.waiting_on.reason.includes('working copy'));
    expect(waiting.waiting_on!.reason).toContain('commit or stash them');
    expect(dirty.log()).toHaveLength(1);
    expect(readFileSync(join(dirty.path, 'add.js'), 'utf8')).toBe('// being edited\n');
    dirty.git('checkout', '--', 'add.js');
    await (await system.as('operator', 'operator')).post(`/mission-control/missions/${id}/retry`, {});
    await expectLanded('dirty');
  }, missionMs);
});

test('a wrong password is said without it, and the operator\'s file stays as it is', async () => {
  bareCopy(source.path, join(outside, 'served'), 'wrong.git');
  const right = readFileSync(credentials, 'utf8');
  onTestFinished(() => writeFileSync(credentials, right));
  writeFileSync(credentials, right.replace(login.password, 'wrong-5b1d'));
  const answer = await register({ name: 'wrong', url: `${locked.url}/wrong.git` });
  expectProblem(answer, 422, 'REPOSITORY_UNREACHABLE', 'url');
  expect(answer.text).toContain('Authentication failed');
  expect(answer.text).not.toContain('wrong-5b1d');
  expect(readFileSync(credentials, 'utf8')).toContain('wrong-5b1d');
});

test('an origin that redirects is not followed, and where to is said', async () => {
  bareCopy(source.path, join(outside, 'served'), 'moved.git');
  const answer = await register({ name: 'moved', url: `${open.url}${movedTo}/moved.git` });
  expectProblem(answer, 422, 'REPOSITORY_UNREACHABLE', 'url');
  expect(answer.text).toContain('/moved.git');
  expect((await register({ name: 'moved', url: `${open.url}/moved.git` })).status).toBe(201);
});

test('a certificate that nobody vouches for is refused', async () => {
  const other = join(outside, 'other');
  mkdirSync(other);
  const stranger = await serveGit(join(outside, 'served'), makeCertificate(other));
  onTestFinished(() => stranger.close());
  const answer = await register({ name: 'stranger', url: `${stranger.url}/open.git` });
  expectProblem(answer, 422, 'REPOSITORY_UNREACHABLE', 'url');
  expect(answer.text).toMatch(/certificate/i);
});

test('a landing on a hostile local origin runs none of its hooks and no command of its configuration', async () => {
  const hostile = system.repository(calculator);
  const canary = join(outside, 'canary');
  const trap = join(outside, 'trap.sh');
  writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >> '${canary}'\n`);
  chmodSync(trap, 0o755);
  for (const hook of ['pre-receive', 'update', 'post-receive', 'post-update', 'push-to-checkout', 'reference-transaction', 'post-checkout', 'post-index-change', 'proc-receive']) {
    writeFileSync(join(hostile.path, '.git', 'hooks', hook), `#!/bin/sh\nexec '${trap}' ${hook}\n`);
    chmodSync(join(hostile.path, '.git', 'hooks', hook), 0o755);
  }
  const lender = system.repository(calculator);
  writeFileSync(join(hostile.path, '.git', 'objects', 'info', 'alternates'), `${join(lender.path, '.git', 'objects')}\n`);
  for (const key of ['core.fsmonitor', 'core.alternateRefsCommand', 'core.sshCommand', 'core.pager', 'core.editor', 'gpg.program', 'uploadpack.packObjectsHook']) hostile.git('config', key, trap);
  const { mission_id: id } = await send(await registered('hostile', { path: hostile.path }));
  rmSync(canary, { force: true });
  await system.whenEnded(id).then((mission) => expect(mission).toMatchObject({ status: 'resolved' }));
  expect(() => readFileSync(canary, 'utf8')).toThrow('ENOENT');
  // The traps are real: a push without our settings falls into them.
  execFileSync('git', ['-C', source.path, 'push', '-q', hostile.path, 'main:refs/heads/other'], { stdio: 'ignore' });
  expect(readFileSync(canary, 'utf8')).toContain('pre-receive');
}, missionMs);
