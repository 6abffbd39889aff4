import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { TidyReport } from '../../src/domain/workspaces.ts';
import { hostIdOf } from '../../src/home.ts';
import { engineOf, eventually, identities, killHard, launch, makeGate, missionEnd, restarted, stopLaunched, type Launched } from '../support/launched.ts';
import { calculator, fixedAdd, makeRepository, temporaryFolder } from '../support/repository.ts';
import { missionBody } from '../support/system.ts';

let system: Launched;
const home = temporaryFolder();
const tools = temporaryFolder();
const closed = join(tools, 'closed');
const began = join(tools, 'began');

beforeAll(async () => {
  // The janitor asks du before each removal: a du that waits at a door stops it in the middle.
  writeFileSync(join(tools, 'du'), `#!/bin/sh\nif [ -e ${closed} ]; then : > ${began}; while [ -e ${closed} ]; do sleep 0.05; done; fi\nexec /usr/bin/du "$@"\n`);
  chmodSync(join(tools, 'du'), 0o755);
  system = await launch(home, [], { PATH: `${tools}:${process.env['PATH']}` });
}, 180_000);
afterAll(async () => {
  rmSync(closed, { force: true });
  await stopLaunched(system);
  rmSync(tools, { recursive: true, force: true });
}, 30_000);

test('kill -9 in the middle of its turn: the next worker brings it to its end, and takes nothing from a mission under way', async () => {
  const gate = await makeGate(join(home, 'gate'));
  const repository = makeRepository(join(home, 'repositories'), { ...calculator, 'test/gate.test.js': gate.source });
  const mission = await system.api().post<MissionDetail>('/mission-control/missions', { ...missionBody(repository, [repository.diff(fixedAdd)]), execute: true });
  await gate.begun(1);
  const [repositoryId = ''] = readdirSync(join(home, 'worktrees'));
  const orphans = ['77', '88'].map((name) => join(home, 'worktrees', repositoryId, name));
  for (const orphan of orphans) {
    mkdirSync(orphan);
    writeFileSync(join(orphan, 'file'), 'x');
  }
  writeFileSync(closed, '');
  const temporal = await engineOf(system);
  try {
    await temporal.schedule.getHandle(`tidy-workspaces-${await hostIdOf(home)}`).trigger();
    await eventually(() => existsSync(began));
    const before = identities(system).worker;
    await killHard(before);
    expect(orphans.map((path) => existsSync(path))).toEqual([true, true]);
    rmSync(closed);
    await restarted(system, 'worker', before);
  } finally {
    await temporal.connection.close();
  }
  await eventually(() => orphans.every((path) => !existsSync(path)));
  const report = await eventually(async () => {
    const { items: [host] } = await system.api().get<{ items: { report: TidyReport | null }[] }>('/mission-control/workspaces');
    return host?.report?.removed.some(({ name }) => name.endsWith('/88')) === true ? host.report : undefined;
  });
  expect(report).toMatchObject({ failed: 0 });
  await gate.begun(2);
  await gate.open();
  expect(await missionEnd(system, mission.mission_id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(repository.log()).toHaveLength(2);
}, 120_000);
