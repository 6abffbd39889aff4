/** The observation window: ticks on a fixed grid, one activity each, a pure judge, a verdict. */
import { continueAsNew, defineQuery, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import { judge, type Sample, type WindowVerdict } from '../domain/judge.ts';
import { tickTimes, type WindowSpec } from '../domain/observation.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { main } from './activities.ts';

export interface ObservationInput {
  mission_id: string;
  spec: WindowSpec;
  /** Start of the window, milliseconds since the epoch: the moment after the landing. */
  t0: number;
  revision: string;
  author: string;
  next_tick: number;
  samples: Sample[];
}

export interface ObservationResult { verdict: WindowVerdict; evidence: EvidenceRef[] }

export const windowTable = defineQuery<{ spec: WindowSpec; samples: Sample[]; verdict: WindowVerdict }>('windowTable');

const ticksPerRun = 200;

export async function observationWindow(input: ObservationInput): Promise<ObservationResult> {
  const { spec, t0, mission_id } = input;
  const samples = [...input.samples];
  setHandler(windowTable, () => ({ spec, samples, verdict: judge(spec, samples, t0, Date.now()) }));

  const ticks = spec.metrics === 'none' ? [] : tickTimes(spec, t0);
  const intervalMs = spec.interval_seconds * 1_000;
  for (let tick = input.next_tick; tick < ticks.length; tick += 1) {
    const at = ticks[tick]!;
    if (at > Date.now()) await sleep(at - Date.now());
    samples.push(...await main.sampleTick({
      mission_id, tick, at, landed_at: t0, revision: input.revision, author: input.author,
      metrics: spec.metrics === 'none' ? [] : spec.metrics,
      // The grid does not drift: a tick whose whole interval passed while nobody ran is missed, not moved.
      missed: Date.now() > at + intervalMs,
    }));
    const verdict = judge(spec, samples, t0, Date.now());
    if (verdict.verdict === 'FAILED') return close(input, verdict);
    if (tick + 1 < ticks.length && (tick + 1 - input.next_tick >= ticksPerRun || workflowInfo().continueAsNewSuggested)) {
      await continueAsNew<typeof observationWindow>({ ...input, next_tick: tick + 1, samples });
    }
  }
  const end = t0 + spec.duration_minutes * 60_000;
  if (end > Date.now()) await sleep(end - Date.now());
  // Workflow time stands still within one task; the timer's own rounding must not leave the window a millisecond short.
  return close(input, judge(spec, samples, t0, Math.max(end, Date.now())));
}

async function close(input: ObservationInput, verdict: WindowVerdict): Promise<ObservationResult> {
  const { mission_id, spec, revision } = input;
  const evidence = await main.closeWindow({ mission_id, spec, verdict, revision });
  return { verdict, evidence };
}
