import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { projectRoot } from '../../src/project.ts';
import { changingNothing, keyFor } from '../support/http.ts';
import { calculator, fixedAdd, temporaryFolder } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';
import { startTool, tool } from './tool.ts';

let system: System;
let operator: { url: string; key: string };
beforeAll(async () => {
  system = await startSystem();
  operator = { url: system.url, key: await keyFor(system, 'olga', 'operator') };
});
afterAll(() => system.stop());

test('what the arguments get wrong is exit 64, names the argument and asks nobody', async () => {
  const nobody = { url: 'http://127.0.0.1:1', key: 'mck_none' };
  for (const [args, named] of [
    [['misson'], /misson/], [['mission', 'list', '--severty', 'low'], /--severty/], [['mission', 'list', '--status', 'done'], /--status .*open/],
    [['mission', 'show'], /mission/], [['mission', 'show', '..'], /not an id/], [['mission', 'create', '--severity', 'low'], /--subsystem/],
    [['mission', 'create', '--subsystem', 'x', '--severity', 'low', '--title', 't', '--repo', 'r', '--window-minutes', 'soon'], /--window-minutes/],
    [['mission', 'create', '--subsystem', 'x', '--severity', 'low', '--title', 't', '--repo', 'r', '--target', 'errors=1'], /--target/],
    [['mission', 'create', '--subsystem', 'x', '--severity', 'low', '--title', 't', '--repo', 'r', '--diff', '/not/there'], /\/not\/there/],
    [['mission', 'create', '--file', '/not/there.json'], /\/not\/there\.json/], [['mission', 'create', '--file', '-', '--title', 't'], /--title/],
    [['approve', 'mission_20260101_001'], /--reason/], [['approve', 'that-one', '--reason', 'r', '--yes'], /that-one/],
    [['metric', 'push', 'errors', 'many'], /value/], [['key', 'create', 'ann'], /--role/],
  ] as const) {
    const { code, out, err } = await tool(args, nobody);
    expect({ code, out }, args.join(' ')).toEqual({ code: 64, out: '' });
    expect(err, args.join(' ')).toMatch(named);
  }
  expect(await tool(['mission', 'create', '--file', '-'], { ...nobody, input: '{"title": ' }))
    .toMatchObject({ code: 64, err: expect.stringContaining('not JSON') as string });
  expect(await tool([], nobody)).toMatchObject({ code: 64, err: expect.stringContaining('Usage: missionctl') as string });
});

test('what the API refuses is exit 2, names the field and changes nothing', async () => {
  const repository = system.repository(calculator);
  const body = { ...missionBody(repository, [repository.diff(fixedAdd)]), severity: 'urgent', colour: 'red' };
  await changingNothing(system.db.database, async () => {
    const refused = await tool(['mission', 'create', '--file', '-'], { ...operator, input: JSON.stringify(body) });
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toMatch(/^ {2}severity: /m);
    expect(refused.err).toMatch(/^ {2}colour: unknown field$/m);

    const asJson = await tool(['mission', 'show', 'mission_20200101_001', '--json'], operator);
    expect(asJson.code).toBe(2);
    expect(JSON.parse(asJson.out)).toMatchObject({ code: 'MISSION_NOT_FOUND', status: 404 });
    expect(await tool(['key', 'list'], operator)).toMatchObject({ code: 2, err: expect.stringContaining('key:manage') as string });
    expect(await tool(['status'], { url: system.url, key: 'mck_nobody' })).toMatchObject({ code: 2, out: '' });
    // One id, however it is spelled, is never another address.
    expect(await tool(['mission', 'show', '../keys'], operator)).toMatchObject({ code: 2, err: expect.stringContaining('../keys') as string });
  });
});

test('nothing running is exit 3, with what to do; so is a connection that nobody answers', async () => {
  const home = temporaryFolder();
  for (const args of [['status'], ['mission', 'list', '--json'], ['mission', 'watch', 'mission_20260101_001'], ['key', 'list']]) {
    const { code, out, err } = await tool(args, { home });
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain(`nothing runs in ${home}`);
    expect(err).toContain('missionctl start');
  }
  const nobody = `http://127.0.0.1:${await freePort(0)}`;
  expect(await tool(['status'], { url: nobody, key: operator.key }))
    .toMatchObject({ code: 3, err: expect.stringMatching(/127\.0\.0\.1:\d+ does not answer: ECONNREFUSED.*missionctl doctor/) as string });
  // What the last run left behind when it was killed.
  writeFileSync(join(home, 'run.json'), JSON.stringify({ api_url: nobody, pids: {} }));
  writeFileSync(join(home, 'admin.key'), 'mck_old\n');
  expect(await tool(['status'], { home })).toMatchObject({ code: 3, err: expect.stringContaining('missionctl start') as string });
});

test('without a worker, steering is exit 3 and says that nothing was changed', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)]);
  expect(await tool(['mission', 'pause', mission_id], operator))
    .toMatchObject({ code: 3, err: expect.stringMatching(/WORKER_UNAVAILABLE.*nothing was changed/) as string });
});

test('the key of the data directory is not sent to an address that the environment names', async () => {
  const home = temporaryFolder();
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'admin.key'), 'mck_secret\n');
  expect(await tool(['status'], { url: system.url, home })).toMatchObject({ code: 64, err: expect.stringContaining('MISSION_CONTROL_KEY') as string });
});

test('run.json and admin.key of the data directory are enough, and MISSION_CONTROL_KEY alone is somebody else there', async () => {
  const home = temporaryFolder();
  writeFileSync(join(home, 'run.json'), JSON.stringify({ api_url: system.url, pids: {} }));
  writeFileSync(join(home, 'admin.key'), `${await keyFor(system, 'root', 'admin')}\n`);
  expect(await tool(['key', 'list'], { home })).toMatchObject({ code: 0 });
  expect(await tool(['key', 'list'], { home, key: operator.key })).toMatchObject({ code: 2 });
});

test('the launcher script of the package answers --help with the exit codes', async () => {
  const help = await startTool(['--help'], {}, join(projectRoot, 'src', 'cli', 'missionctl.mjs')).ended;
  expect(help.code).toBe(0);
  for (const code of ['0', '1', '2', '3', '64']) expect(help.out).toMatch(new RegExp(`^ {2}${code} +\\S`, 'm'));
});
