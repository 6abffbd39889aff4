/** Probe of a SQLite file: a write can begin, and what it holds can be read. The file is never opened in this process. */
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import type { Probe, Subsystem } from '../../domain/subsystem.ts';
import { sqliteCheck } from '../../project.ts';
import type { ActivityDeps } from '../deps.ts';
import { failing, reasonOf, unknown, well, type Found } from './reading.ts';

const answerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('well'), write_ms: z.number() }),
  z.object({ kind: z.enum(['locked', 'corrupt', 'failed']), reason: z.string() }),
]);

/** Symptoms that this probe tells apart by itself. */
export const sqliteSymptoms = ['database_locked', 'database_corruption'] as const;

const symptomOf = { locked: 'database_locked', corrupt: 'database_corruption', failed: null } as const;

export async function sqlite(
  probe: Extract<Probe, { kind: 'sqlite' }>, subsystem: Subsystem, deps: Pick<ActivityDeps, 'processes' | 'config'>, marker: string,
): Promise<Found> {
  const resource = subsystem.resources[probe.resource ?? ''];
  if (resource?.kind !== 'sqlite') return unknown(`${probe.resource} is no SQLite file of this subsystem`);
  try {
    // Waits for the lock half of its time, so that a locked file is told from a check that hangs.
    const run = await deps.processes.run({
      argv: [process.execPath, sqliteCheck, resource.path, String(Math.round(probe.timeout_seconds * 500))],
      cwd: deps.config.home, marker, timeout_seconds: probe.timeout_seconds, network: false,
    });
    await rm(run.output_file, { force: true });
    // A large file takes long to read: that says nothing about it.
    if (run.timed_out) return unknown(`the check did not end within ${probe.timeout_seconds} s`);
    if (run.exit_code !== 0) return unknown(`the check ended with exit code ${run.exit_code}`);
    const answer = answerSchema.parse(JSON.parse(run.stdout));
    return answer.kind === 'well' ? well(answer.write_ms) : failing(answer.reason, symptomOf[answer.kind]);
  } catch (error) {
    return unknown(reasonOf(error));
  }
}
