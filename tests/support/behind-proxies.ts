/** A system of the launcher's with every connection to its database and its engine through a proxy that a test may cut. */
import { expectOneCleanLanding } from './aftermath.ts';
import { createCrashMission, doors, launchForCrashes, type CrashMission, type CrashSystem } from './crash-mission.ts';
import { eventually, missionEnd, stopLaunched } from './launched.ts';
import { ownPostgres, ownTemporal } from './servers.ts';
import { tcpProxy, type TcpProxy } from './tcp-proxy.ts';

export interface BehindProxies {
  system: CrashSystem;
  toDatabase: TcpProxy;
  toEngine: TcpProxy;
  /** Lands a mission, with something done while its tests run. */
  landing(during: (mission: CrashMission) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function launchBehindProxies(): Promise<BehindProxies> {
  const [postgres, temporal] = await Promise.all([ownPostgres(), ownTemporal()]);
  const direct = new URL(postgres.address);
  const toDatabase = await tcpProxy({ host: '127.0.0.1', port: Number(direct.port) });
  const toEngine = await tcpProxy({ host: '127.0.0.1', port: Number(temporal.address.split(':')[1]) });
  const system = await launchForCrashes({
    DATABASE_URL: Object.assign(new URL(direct), { port: String(toDatabase.port) }).href, TEMPORAL_ADDRESS: `127.0.0.1:${toEngine.port}`,
  });
  // What the tests ask is asked behind the proxy.
  system.databaseUrl = () => direct.href;
  return {
    system, toDatabase, toEngine,
    async landing(during) {
      const mission = await createCrashMission(system);
      await mission.execute();
      for (const door of ['setup', 'agent'] as const) mission.open(door);
      await mission.begun('tests');
      await during(mission);
      for (const door of Object.values(doors)) mission.open(door);
      await eventually(() => mission.waitsForApproval());
      mission.moveTarget();
      await mission.approve();
      await expectOneCleanLanding(system, mission, await missionEnd(system.launched, mission.mission_id), 'one');
    },
    async close() {
      await stopLaunched(system.launched);
      await Promise.all([toDatabase.close(), toEngine.close(), postgres.remove(), temporal.remove()]);
    },
  };
}
