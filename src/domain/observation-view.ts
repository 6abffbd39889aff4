/** A mission's observation as the API shows it: enough to judge every window of it again. */
import type { BaselineFigure } from './baseline.ts';
import { withConfounders, type Confounder } from './confounders.ts';
import { judge, type Sample, type WindowVerdict } from './judge.ts';
import { windowEnd, type WindowSpec } from './observation.ts';

export interface WindowView {
  window: number;
  state: 'running' | 'judged' | 'decided' | 'cancelled';
  spec: WindowSpec;
  t0: string;
  landed_at: string;
  revision: string | null;
  config_digest: string;
  baselines: Record<string, BaselineFigure>;
  confounders: Confounder[];
  verdict: WindowVerdict | null;
  judged_at: string | null;
  samples: (Omit<Sample, 'at'> & { at: string })[];
}

export interface ObservationView {
  mission_id: string;
  windows: WindowView[];
}

/** The verdict that the stored samples give, whatever verdict is recorded beside them. */
export function rederived({ spec, samples, confounders, t0 }: Pick<WindowView, 'spec' | 'samples' | 'confounders' | 't0'>): WindowVerdict {
  const start = Date.parse(t0);
  const read = samples.map((sample) => ({ ...sample, at: Date.parse(sample.at) }));
  // What ended a window early is FAILED at its end, too: nothing that comes later changes that.
  return withConfounders(spec, judge(spec, read, start, windowEnd(spec, start)), confounders);
}
