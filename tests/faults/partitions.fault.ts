/** F12: everything is cut off from the database, from the engine; nobody is told. */
import { afterAll, beforeAll, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { expectWholeLedger } from '../support/aftermath.ts';
import { launchBehindProxies, type BehindProxies } from '../support/behind-proxies.ts';

let proxied: BehindProxies;
beforeAll(async () => { proxied = await launchBehindProxies(); }, 240_000);
afterAll(() => proxied.close(), 60_000);

const partitions = [['database', 1], ['engine', 1], ['database', 30], ['engine', 30], ['database', 120], ['engine', 120]] as const;

test.each(partitions)('everything is cut off from the %s for %i s while its tests run: one landing, nothing twice', async (from, seconds) => {
  const { system, toDatabase, toEngine } = proxied;
  const proxy = from === 'database' ? toDatabase : toEngine;
  await proxied.landing(async (mission) => {
    proxy.stall();
    mission.open('tests');
    await new Promise((resolve) => { setTimeout(resolve, seconds * 1_000); });
    const seen = system.launched.api().get<MissionDetail>(`/mission-control/missions/${mission.mission_id}`).catch((error: Error) => error);
    proxy.heal();
    await seen;
  });
  await expectWholeLedger(system);
}, 300_000);
