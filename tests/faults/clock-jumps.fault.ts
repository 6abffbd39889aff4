/** F10: the clock of worker and api jumps two hours ahead and thirty days back while a mission runs. The library that lies to them is Debian's libfaketime. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Approval } from '../../src/domain/approval.ts';
import { expectOneCleanLanding } from '../support/aftermath.ts';
import { createCrashMission, doors, launchForCrashes, type CrashMission, type CrashSystem } from '../support/crash-mission.ts';
import { eventually, missionEnd, stopLaunched } from '../support/launched.ts';
import { temporaryFolder } from '../support/repository.ts';
import { withClient } from '../support/turnstile.ts';

const folder = temporaryFolder();
const clock = join(folder, 'clock');
const setClock = (offset: string): void => writeFileSync(clock, `${offset}\n`);

/** Installed, or unpacked for this run; undefined where neither can be had. */
function findLibrary(): string | undefined {
  const relative = 'usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
  if (existsSync(`/${relative}`)) return `/${relative}`;
  try {
    execFileSync('apt-get', ['download', 'libfaketime'], { cwd: folder, stdio: 'ignore', timeout: 60_000 });
    const pack = readdirSync(folder).find((name) => name.endsWith('.deb'))!;
    execFileSync('dpkg-deb', ['-x', pack, '.'], { cwd: folder, stdio: 'ignore' });
    return join(folder, relative);
  } catch {
    return undefined;
  }
}

const library = findLibrary();
let system: CrashSystem | undefined;
beforeAll(async () => {
  setClock('+0');
  if (library === undefined) return;
  system = await launchForCrashes({
    LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
}, 180_000);
afterAll(async () => {
  if (system !== undefined) await stopLaunched(system.launched);
  await rm(folder, { recursive: true, force: true });
}, 30_000);

async function atItsTests(by: CrashSystem): Promise<CrashMission> {
  const mission = await createCrashMission(by);
  await mission.execute();
  for (const door of ['setup', 'agent'] as const) mission.open(door);
  await mission.begun('tests');
  return mission;
}

/** The clock that the api has, by the Date header of its answers. */
const apiIsAheadBy = async (by: CrashSystem): Promise<number> =>
  Date.parse((await fetch(`${by.launched.run().api_url}/health/live`)).headers.get('date') ?? '') - Date.now();

async function finish(by: CrashSystem, mission: CrashMission): Promise<void> {
  mission.moveTarget();
  await mission.approve();
  await expectOneCleanLanding(by, mission, await missionEnd(by.launched, mission.mission_id), 'one');
  // Every stage's end comes behind its start in the ledger, whatever anybody's clock said.
  const seqs = await withClient(by.databaseUrl(), async (client) => (await client.query<{ type: string; stage: string; seq: string }>(
    `SELECT e.type, e.stage, l.seq FROM ledger l JOIN events e USING (event_id)
      WHERE e.mission_id = $1 AND e.type IN ('stage.started', 'stage.ended') ORDER BY l.seq`, [mission.mission_id])).rows);
  expect(seqs.map(({ type }) => type)).toEqual(seqs.map((_, i) => (i % 2 === 0 ? 'stage.started' : 'stage.ended')));
}

test('two hours ahead: nothing times out that should not, and it lands', async ({ skip }) => {
  if (system === undefined) return skip('libfaketime is neither installed nor to be had');
  const mission = await atItsTests(system);
  setClock('+7200');
  expect(await apiIsAheadBy(system)).toBeGreaterThan(7_000_000);
  for (const door of Object.values(doors)) mission.open(door);
  await eventually(() => mission.waitsForApproval());
  await finish(system, mission);
}, 120_000);

test('thirty days back: what people send is refused as too old and says so; with the right time it lands', async ({ skip }) => {
  if (system === undefined) return skip('libfaketime is neither installed nor to be had');
  setClock('+0');
  const mission = await atItsTests(system);
  setClock('-30d');
  expect(await apiIsAheadBy(system)).toBeLessThan(-29 * 86_400_000);
  for (const door of Object.values(doors)) mission.open(door);
  await eventually(() => mission.waitsForApproval());
  const approver = await system.person('approver', 'approver');
  const { items } = await system.launched.api().get<{ items: Approval[] }>(`/mission-control/approvals?status=waiting&mission_id=${mission.mission_id}`);
  const { approval_id, digests } = items[0]!;
  await expect(approver.post(`/mission-control/approvals/${approval_id}/approve`, { reason: 'seen', digests })).rejects.toMatchObject({ code: 'MESSAGE_EXPIRED' });
  setClock('+0');
  await finish(system, mission);
}, 120_000);
