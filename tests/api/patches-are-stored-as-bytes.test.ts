import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, changingNothing, expectProblem, keyFor } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let key: string;
beforeAll(async () => {
  system = await startSystem();
  key = await keyFor(system, 'sender', 'agent');
});
afterAll(() => system.stop());

const store = (raw: string | Uint8Array, type: string) => call(system.url, '/mission-control/artifacts', { key, raw, headers: { 'content-type': type } });

test('byte for byte, whatever they are, under their own digest', async () => {
  const bytes = Buffer.from([0, 255, 0xc3, 0x28, 10, 0x80, ...Buffer.from('+caf\u00e9', 'latin1')]);
  const answer = await store(bytes, 'text/x-diff; charset=latin1');
  expect(answer.status, answer.text).toBe(201);
  expect(answer.body).toEqual({ sha256: createHash('sha256').update(bytes).digest('hex'), size_bytes: bytes.length, media_type: 'text/x-diff' });
  const back = await fetch(`${system.url}/mission-control/artifacts/${String(answer.body['sha256'])}`, { headers: { authorization: `Bearer ${key}` } });
  expect(Buffer.from(await back.arrayBuffer()).equals(bytes)).toBe(true);
});

test('twice is once', async () => {
  const first = await store('diff --git a/x b/x\n', 'text/x-diff');
  await changingNothing(system.db.database, async () => expect((await store('diff --git a/x b/x\n', 'text/x-diff')).text).toBe(first.text));
});

test('and a mission may name them', async () => {
  const repository = system.repository(calculator);
  const { body } = await store(repository.diff(fixedAdd), 'text/x-diff');
  const json = { ...missionBody(repository, []), workspace: { repo_path: repository.path, patch_candidates: [{ kind: 'diff', artifact: body['sha256'] }] } };
  const mission = await call(system.url, '/mission-control/missions', { key, json });
  expect(mission.status, mission.text).toBe(201);
  expect(mission.body['workspace']).toMatchObject({ patch_candidates: [{ kind: 'diff', artifact: body['sha256'] }] });
});

test('each type has its own limit, and no other type is taken', () => changingNothing(system.db.database, async () => {
  expectProblem(await store(Buffer.alloc(1_048_577, 'x'), 'text/x-diff'), 413, 'BODY_TOO_LARGE');
  expectProblem(await store(Buffer.alloc(67_108_865, 'x'), 'application/x-git-bundle'), 413, 'BODY_TOO_LARGE');
  // Nobody makes us parse 60 MB of JSON to be told that it is none.
  expectProblem(await store(`[${'0,'.repeat(2_000_000)}0]`, 'application/json'), 413, 'BODY_TOO_LARGE');
  for (const type of ['application/json', 'text/plain', 'text/html', 'image/svg+xml', 'text/x-diffs', 'application/octet-stream']) {
    expectProblem(await store('{}', type), 415, 'UNSUPPORTED_MEDIA_TYPE');
  }
}));

test('a type that is for patches is not one for missions', () => changingNothing(system.db.database, async () => {
  for (const type of ['text/x-diff', 'application/x-git-bundle']) {
    expectProblem(await call(system.url, '/mission-control/missions', { key, raw: '{}', headers: { 'content-type': type } }), 415, 'UNSUPPORTED_MEDIA_TYPE');
  }
}));
