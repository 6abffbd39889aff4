import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { queuedMission } from '../support/agents.ts';
import { call, keyFor } from '../support/http.ts';
import { brokenAdd, calculator, fixedAdd } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';
import { startTool, tool, type Ended } from './tool.ts';

let system: System;
let root: { url: string; key: string };
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  root = { url: system.url, key: await keyFor(system, 'root', 'admin') };
});
afterAll(() => system.stop());

test('--json is what the API answers, word for word', async () => {
  const repository = system.repository(calculator);
  const sent = await system.send(repository, [repository.diff(brokenAdd)]);
  const mission = await system.whenEnded(sent.mission_id);
  expect((await tool(['metric', 'set', 'cli.errors<=2.5', '--unit', 'errors/min', '--json'], root)).code).toBe(0);
  for (const [args, path] of [
    [['mission', 'list', '--severity', 'medium', '--limit', '2'], '/missions?severity=medium&limit=2'],
    [['mission', 'show', mission.mission_id], `/missions/${mission.mission_id}`], [['mission', 'watch', mission.mission_id], `/missions/${mission.mission_id}`],
    [['repo', 'list'], '/repositories'], [['queue'], '/queue'], [['approvals'], '/approvals'], [['approvals', 'list', '--status', 'waiting'], '/approvals?status=waiting'],
    [['capa', 'list'], '/capa'], [['capa', 'show', mission.capa_id!], `/capa/${mission.capa_id!}`], [['key', 'list'], '/keys'],
  ] as const) {
    const { code, out, err } = await tool([...args, '--json'], root);
    expect(err).toBe('');
    expect(out, args.join(' ')).toBe(`${(await call(root.url, `/mission-control${path}`, { key: root.key })).text}\n`);
    expect(code).toBe(args[1] === 'watch' ? 1 : 0);
  }
  // Values and their ages are others a moment later.
  const metrics = (text: string): string[] => (JSON.parse(text) as { items: { metric_id: string }[] }).items.map((one) => one.metric_id);
  expect(metrics((await tool(['metric', 'list', '--json'], root)).out)).toEqual(metrics((await call(root.url, '/mission-control/metrics', { key: root.key })).text));
  const status = JSON.parse((await tool(['status', '--json'], root)).out) as Record<string, unknown>;
  expect(Object.keys(status)).toEqual(Object.keys((await call(root.url, '/mission-control/status', { key: root.key })).body));
  const pushed = await tool(['metric', 'push', 'cli.errors', '-1.5', '--json'], root);
  expect(JSON.parse(pushed.out)).toEqual({ accepted: 1 });
});

test('lists are tables for a person: the mission, its age, why it waits, and where the next page is', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  await system.approval(mission_id);
  const { out } = await tool(['mission', 'list', '--limit', '1'], root);
  expect(out).toMatch(new RegExp(`${mission_id} +in_progress +medium +calculator +governance_approval +\\d+ % +\\d+ m?s.*Adding is wrong`));
  expect(out).toMatch(new RegExp(`${mission_id} waits for an approval, .* missionctl approve ${mission_id}`));
  const [, cursor = ''] = /more: --cursor (\S+)/.exec(out)!;
  expect((await tool(['mission', 'list', '--limit', '1', '--cursor', cursor], root)).out).not.toContain(mission_id);
  expect((await tool(['repo', 'list'], root)).out).toContain(repository.path);
  const queued = await queuedMission(system, repository);
  expect((await tool(['queue'], root)).out).toMatch(new RegExp(`${queued} +medium +offered +\\d+ m?s +any +Adding is wrong`));
});

const hostile = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202eevil\r\u200b';
// Everything below a space but the line feed, DEL, C1, and what turns text around.
// oxlint-disable-next-line no-control-regex -- the very thing
const dangerous = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/;
const harmless = ({ out, err }: Ended): void => {
  expect(out).not.toMatch(dangerous);
  expect(err).not.toMatch(dangerous);
};

test('escape sequences in a title reach no terminal, in words or in JSON, and the JSON still means the same', async () => {
  const repository = system.repository(calculator);
  const body = { ...missionBody(repository, [repository.diff(brokenAdd)]), title: `x${hostile}`, description: `one\n${hostile}`, labels: [hostile], execute: true };
  const created = await tool(['mission', 'create', '--file', '-'], { ...root, input: JSON.stringify(body) });
  const id = /mission_\d+_\d+/.exec(created.out)![0];
  const watched = await tool(['mission', 'watch', id], root);
  expect(watched.code).toBe(1);
  const shown = await tool(['mission', 'show', id], { ...root, env: { FORCE_COLOR: '1' } });
  expect(shown.out).toContain('x\\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{9b}31m\\u{202e}evil');
  const json = await tool(['mission', 'show', id, '--json'], root);
  for (const ended of [created, watched, shown, json, await tool(['mission', 'list'], root), await tool(['capa', 'list'], root)]) harmless(ended);
  expect((JSON.parse(json.out) as MissionDetail).title).toBe(`x${hostile}`);
  harmless(await tool([`no-such-command${hostile}`], root));
  harmless(await tool(['mission', 'show', hostile], root));
});

test('a key is printed by key create alone, once; it stands in no argument and in no other output', async () => {
  const made = await tool(['key', 'create', 'ann', '--role', 'approver', '--expires-in-days', '1'], root);
  expect(made.code).toBe(0);
  const key = made.out.trim();
  expect(key).toMatch(/^mck_\w+$/);
  expect(made.err).not.toContain(key);
  const ann = { url: system.url, key };
  expect((await tool(['approvals'], ann)).code).toBe(0);

  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  const watch = startTool(['mission', 'watch', mission_id], ann);
  await watch.line(/waits for an approval/);
  if (process.platform === 'linux') expect(readFileSync(`/proc/${watch.pid}/cmdline`, 'utf8')).not.toContain('mck_');
  const decided = await tool(['reject', mission_id, '--reason', 'a test', '--yes'], ann);
  const [, keyId = ''] = /key_id":"(\w+)"[^}]*"principal_id":"ann"/.exec((await tool(['key', 'list', '--json'], root)).out)!;
  const outputs = [
    decided, await watch.ended, await tool(['key', 'list'], root), await tool(['key', 'list', '--json'], root), await tool(['status'], ann),
    await tool(['doctor'], ann), await tool(['--key', key, 'status'], ann), await tool([key], ann), await tool(['key', 'revoke', key], root),
    await tool(['key', 'revoke', keyId], root), await tool(['status'], ann),
  ];
  expect(outputs.at(-1)).toMatchObject({ code: 2 });
  for (const { out, err } of outputs) {
    expect(out).not.toContain(key);
    expect(err).not.toContain(key);
    expect(`${out}${err}`).not.toContain(root.key);
  }
});
