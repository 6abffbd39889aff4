/**
 * F3 and F5: PostgreSQL with all its backends killed while events are written, and everything killed at once at times
 * that chance picks: what was acknowledged is there once, the ledger is whole, and missions go on by themselves.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../../src/processes.mjs';
import { expectOneCleanLanding, expectWholeLedger } from '../support/aftermath.ts';
import { createCrashMission, doors, launchForCrashes, type CrashMission, type CrashSystem } from '../support/crash-mission.ts';
import { call, type Answer } from '../support/http.ts';
import { eventually, identities, killHard, missionEnd, restarted, stopLaunched } from '../support/launched.ts';
import { chance } from '../support/seed.ts';
import { withClient } from '../support/turnstile.ts';

/** How often everything is killed; `FAULTS_KILLS=100` for a long night. */
const kills = Number(process.env['FAULTS_KILLS'] ?? 3);
const by = chance('killed under load');

let system: CrashSystem;
let key: string;
beforeAll(async () => {
  system = await launchForCrashes();
  ({ key } = await system.launched.api().post<{ key: string }>('/mission-control/keys', { principal_id: 'load', kind: 'person', role: 'operator' }));
}, 180_000);
afterAll(() => stopLaunched(system.launched), 30_000);

interface Load { acknowledged: Set<string>; refused: Answer[]; stop(): Promise<void> }

/** Clients that create missions without a pause; each is a row, an event and a workflow. */
function load(clients: number): Load {
  const stopping = new AbortController();
  const acknowledged = new Set<string>();
  const refused: Answer[] = [];
  async function client(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Nobody there, or a connection that broke: then nothing was acknowledged.
      const answer = await Promise.resolve().then(() => call(system.launched.run().api_url, '/api/missions', { key, json: { title: 'load', description: 'load' } })).catch(() => undefined);
      if (answer === undefined) await new Promise((resolve) => { setTimeout(resolve, 20); });
      else if (answer.status === 201) acknowledged.add(String(answer.body['id']));
      else {
        refused.push(answer);
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    }
  }
  const running = Array.from({ length: clients }, client);
  return {
    acknowledged, refused,
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

async function expectAllThereOnce({ acknowledged }: Load): Promise<void> {
  const rows = await withClient(system.databaseUrl(), async (client) => (await client.query<{ mission_id: string; n: number }>(
    `SELECT m.mission_id, count(e.event_id)::int AS n FROM missions m LEFT JOIN events e ON e.mission_id = m.mission_id AND e.type = 'mission.created'
      WHERE m.mission_id = ANY($1) GROUP BY 1`, [[...acknowledged]])).rows);
  expect(rows).toHaveLength(acknowledged.size);
  expect(rows.filter(({ n }) => n !== 1)).toEqual([]);
  await expectWholeLedger(system);
}

function backendsOf(postmaster: ProcessIdentity): ProcessIdentity[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(postmaster.pid);
    } catch {
      return false;
    }
  }).map((name) => identityOf(Number(name)));
}

test('F3: the postmaster and every backend killed three times under load: nothing acknowledged is lost, 503 meanwhile, well again by itself', async () => {
  const running = load(8);
  for (let round = 1; round <= 3; round += 1) {
    const enough = running.acknowledged.size + 20 + by.below(30);
    await eventually(() => running.acknowledged.size >= enough);
    const before = identities(system.launched).postgres;
    const all = [before, ...backendsOf(before)];
    expect(all.length).toBeGreaterThan(5);
    for (const { pid } of by.shuffled(all)) try { process.kill(pid, 'SIGKILL'); } catch { /* went with another */ }
    await eventually(() => !all.some(isAlive));
    await restarted(system.launched, 'postgres', before);
  }
  const enough = running.acknowledged.size + 20;
  await eventually(() => running.acknowledged.size >= enough);
  await running.stop();
  expect(running.refused.length).toBeGreaterThan(0);
  expect(new Set(running.refused.map(({ status, body }) => `${status} ${String(body['code'])}`))).toEqual(new Set(['503 DATABASE_UNAVAILABLE']));
  await expectAllThereOnce(running);
}, 180_000);

test(`F5: everything killed at once, ${kills} times, whenever chance says`, async () => {
  const running = load(2);
  const missions: CrashMission[] = [];
  for (let round = 1; round <= kills; round += 1) {
    const mission = await eventually(() => createCrashMission(system));
    for (const door of Object.values(doors)) mission.open(door);
    missions.push(mission);
    await eventually(() => mission.execute());
    await new Promise((resolve) => { setTimeout(resolve, by.below(6_000)); });
    await Promise.all(by.shuffled(Object.values(identities(system.launched))).map(killHard));
    await system.launched.ended;
    await system.relaunch();
  }
  await running.stop();
  for (const mission of missions) {
    await eventually(() => mission.waitsForApproval());
    mission.moveTarget();
    await mission.approve();
  }
  const ended: MissionDetail[] = [];
  for (const { mission_id } of missions) ended.push(await missionEnd(system.launched, mission_id));
  for (const [i, mission] of missions.entries()) await expectOneCleanLanding(system, mission, ended[i]!, 'one');
  await expectAllThereOnce(running);
}, 120_000 + kills * 150_000);
