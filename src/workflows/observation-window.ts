/** One observation window: ticks on a fixed grid, one activity each, a pure judge, a verdict. */
import { continueAsNew, defineQuery, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import type { WindowVerdict } from '../domain/judge.ts';
import { tickTimes, windowEnd, type WindowSpec } from '../domain/observation.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { main } from './activities.ts';

export interface ObservationInput {
  mission_id: string;
  spec: WindowSpec;
  /** Start of this window, milliseconds since the epoch. */
  t0: number;
  /** Samples from before the landing never count. */
  landed_at: number;
  revision: string;
  author: string;
  /** Which window of the mission, from 1: an extension is a window of its own. */
  window: number;
  next_tick: number;
}

export interface ObservationResult { verdict: WindowVerdict; evidence: EvidenceRef[] }

export const windowState = defineQuery<{ spec: WindowSpec; t0: number; next_tick: number; verdict: WindowVerdict | null }>('windowState');

const ticksPerRun = 200;

export async function observationWindow(input: ObservationInput): Promise<ObservationResult> {
  const { spec, t0, mission_id, window } = input;
  const metrics = spec.metrics === 'none' ? [] : spec.metrics;
  const ticks = metrics.length === 0 ? [] : tickTimes(spec, t0);
  let tick = input.next_tick;
  let latest: WindowVerdict | null = null;
  setHandler(windowState, () => ({ spec, t0, next_tick: tick, verdict: latest }));

  for (; tick < ticks.length; tick += 1) {
    const at = ticks[tick]!;
    if (at > Date.now()) await sleep(at - Date.now());
    latest = await main.sampleTick({
      mission_id, window, tick, at, t0, spec, ...of(input),
      // The grid does not drift: a tick whose whole interval passed while nobody ran is missed, not moved.
      missed: Date.now() > at + spec.interval_seconds * 1_000,
    });
    if (latest.verdict === 'FAILED') return close(input, latest);
    if (tick + 1 < ticks.length && (tick + 1 - input.next_tick >= ticksPerRun || workflowInfo().continueAsNewSuggested)) {
      await continueAsNew<typeof observationWindow>({ ...input, next_tick: tick + 1 });
    }
  }
  const end = windowEnd(spec, t0);
  if (end > Date.now()) await sleep(end - Date.now());
  return close(input, await main.judgeWindow({ mission_id, window, spec, t0, ...of(input) }));
}

const of = ({ landed_at, revision, author }: ObservationInput) => ({ landed_at, revision, author });

async function close(input: ObservationInput, verdict: WindowVerdict): Promise<ObservationResult> {
  const { mission_id, spec, window, t0 } = input;
  return { verdict, evidence: await main.closeWindow({ mission_id, spec, window, t0, verdict, ...of(input) }) };
}
