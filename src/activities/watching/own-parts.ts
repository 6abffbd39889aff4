/** Mission Control's own parts, each measured in the way that shows whether it does its work. */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WatchedOwnPart } from '../../domain/own-subsystems.ts';
import { reaches, sandboxLevels } from '../../domain/sandbox.ts';
import { openFindings } from '../../store/finding-list.ts';
import { backlog } from '../../store/ledger.ts';
import { frozenQueues } from '../../store/merge-queues.ts';
import { readPolicy } from '../../store/policy.ts';
import { workersAlive } from '../../store/presence.ts';
import { readSubsystems } from '../../store/subsystems.ts';
import type { ActivityDeps } from '../deps.ts';
import { bestOf, missingIn } from '../process/ladder.ts';
import { temporal } from './network.ts';
import { degraded, failing, unknown, well, type Found } from './reading.ts';

const mib = 1024 * 1024;
const tooLittle = 512 * mib;
const little = 2_048 * mib;

/** The reconciler runs every 30 s; when it did not for this long, the scheduler does not work. */
const schedulerLateMs = 150_000;

export const ownPartTimeoutSeconds = 5;

/** @throws when it fails in a way that has no words of its own */
export async function ownPart(part: WatchedOwnPart, deps: ActivityDeps): Promise<Found> {
  switch (part) {
    case 'postgres': {
      await deps.database.query('SELECT 1');
      return well();
    }
    case 'temporal': return temporal({ timeout_seconds: ownPartTimeoutSeconds }, deps.temporal);
    case 'worker': {
      const alive = await workersAlive(deps.database.query);
      // One that measures this is alive, whatever it hears of itself.
      return alive > 0 ? well(alive) : unknown('no worker announces itself');
    }
    case 'sealer': return sealer(deps);
    case 'artifact_store': return writable(deps.config.artifacts);
    case 'workspaces': return free(deps.config.home);
    case 'scheduler': return scheduler(deps);
    case 'merge_queues': {
      const frozen = await frozenQueues(deps.database.query);
      return frozen.length === 0 ? well(0) : degraded(frozen.map(({ target_branch, reason }) => `${target_branch} is frozen: ${reason}`).join('; '), frozen.length);
    }
    case 'metric_sources': {
      const blind = (await openFindings(deps.database.query)).filter((finding) => finding.source === 'detector');
      return blind.length === 0 ? well(0) : degraded(blind.map((finding) => finding.title).join('; '), blind.length);
    }
    case 'sandbox': return sandbox(deps);
    case 'governance': {
      // Each of these says which file is wrong, and where.
      await readPolicy(deps.config.configFolder);
      await deps.catalog.fromFile();
      await readSubsystems(deps.config.configFolder);
      return well();
    }
  }
}

/** The value is the level's place on the ladder: the api compares it with the policy before it takes work. */
async function sandbox({ config, processes }: ActivityDeps): Promise<Found> {
  const policy = (await readPolicy(config.configFolder)).sandbox;
  const ladder = await processes.ladder(policy.minimum);
  const level = bestOf(ladder, policy);
  const said = [`level ${level}`, ...(missingIn(ladder) === '' ? [] : [missingIn(ladder)])].join('; ');
  const value = sandboxLevels.indexOf(level);
  return reaches(level, policy.minimum) ? { ...well(value), reason: said } : failing(`the policy wants ${policy.minimum}; ${said}`, null, value);
}

/** An event is sealed within milliseconds; one that waits this long tells that nobody seals. */
const sealingLateMs = 10_000;

async function sealer({ database }: ActivityDeps): Promise<Found> {
  const { unsealed, waiting_ms } = await backlog(database.query);
  if (waiting_ms === null) return well(0);
  const said = `${unsealed} events wait to be sealed, the oldest for ${Math.round(waiting_ms / 1_000)} s`;
  if (waiting_ms <= sealingLateMs) return well(waiting_ms);
  return failing(`${said}; the worker's log says why (ledger.sealer_stopped)`, null, waiting_ms);
}

async function writable(folder: string): Promise<Found> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `.written-${randomUUID()}`);
  await writeFile(path, 'x', { mode: 0o600 });
  await rm(path);
  return free(folder);
}

async function free(folder: string): Promise<Found> {
  const { bavail, bsize } = await statfs(folder);
  const bytes = bavail * bsize;
  const said = `${Math.round(bytes / mib)} MiB free`;
  if (bytes < tooLittle) return failing(said, null, bytes);
  return bytes < little ? degraded(said, bytes) : well(bytes);
}

async function scheduler({ temporal: client }: ActivityDeps): Promise<Found> {
  const { info, state } = await client.withDeadline(Date.now() + ownPartTimeoutSeconds * 1_000, () =>
    client.schedule.getHandle('reconcile-missions').describe());
  if (state.paused) return failing('the schedule reconcile-missions is paused');
  const last = info.recentActions.at(-1)?.takenAt ?? info.createdAt;
  const age = Date.now() - last.getTime();
  return age > schedulerLateMs ? failing(`the schedule reconcile-missions last ran ${Math.round(age / 1_000)} s ago`) : well(age);
}
