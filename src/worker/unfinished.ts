/**
 * Activities of a worker that died, failed at once by the next one on the same data directory, so that they are done
 * again without waiting for a timeout. Task tokens are kept in files while their activities run.
 */
import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { ActivityNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { identityOf, isAlive, type ProcessIdentity } from '../processes.mjs';
import type { Logger } from '../log.ts';

interface Unfinished { worker: ProcessIdentity; pids: string; token: string; activity: string }

/** Whose pids we see: containers that share a data directory must not take each other for dead. */
export function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return hostname();
  }
}

/** After an activity's end its token is kept this long: the answer may not have reached the server yet. */
const keptMs = 2_000;

const folderIn = (home: string): string => join(home, 'running');

/** Notes each activity's token while it runs. */
export function rememberRunning(home: string): ActivityInterceptorsFactory {
  const folder = folderIn(home);
  const worker = identityOf(process.pid);
  const pids = pidNamespace();
  return (context) => ({
    inbound: {
      async execute(input, next) {
        const token = context.info.base64TaskToken;
        const file = join(folder, createHash('sha256').update(token).digest('hex').slice(0, 32));
        const entry: Unfinished = { worker, pids, token, activity: context.info.activityType };
        // Not being able to note it costs time after a crash, nothing else.
        await writeFile(file, JSON.stringify(entry), { mode: 0o600 }).catch(() => undefined);
        try {
          return await next(input);
        } finally {
          setTimeout(() => void rm(file, { force: true }).catch(() => undefined), keptMs).unref();
        }
      },
    },
  });
}

/** Fails what workers that are dead by now left running here. Call it before this worker takes work. */
export async function failUnfinished(home: string, temporal: Client, logger: Logger): Promise<void> {
  const folder = folderIn(home);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    // Whoever wrote it may have been killed in the middle.
    const entry = await readFile(file, 'utf8').then((text) => JSON.parse(text) as Unfinished).catch(() => undefined);
    if (entry !== undefined && (entry.pids !== pidNamespace() || isAlive(entry.worker))) continue;
    if (entry !== undefined) {
      const died = ApplicationFailure.retryable(`the worker with pid ${entry.worker.pid} died`, 'WORKER_DIED');
      await temporal.activity.fail(new Uint8Array(Buffer.from(entry.token, 'base64')), died).then(
        () => logger.info({ event: 'activity.taken_over', activity: entry.activity }),
        (error: unknown) => {
          // Done, cancelled or timed out meanwhile; or the server is away, and then its own timeouts do this.
          if (!(error instanceof ActivityNotFoundError)) logger.warn({ event: 'activity.not_taken_over', activity: entry.activity, err: error });
        });
    }
    await rm(file, { force: true });
  }
}
