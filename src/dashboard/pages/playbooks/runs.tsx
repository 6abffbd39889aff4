import { inPath } from '../../api.ts';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import { took } from '../../time.ts';
import { inWords } from '../../words.ts';
import type { PlaybookRun } from './wire.ts';
import { outcomeTone } from './words.ts';
import './runs.css';

/** One run: where, how it ended and why. */
export const RunRow = ({ run }: { run: PlaybookRun }) => (
  <a class="row run-row" href={`/missions/${inPath(run.mission_id)}`}>
    <div class="wrap">
      {run.subsystem_id}/{run.resource_id}
      <div class="sub">
        <Age at={run.started_at} />{run.ended_at !== null && ` · ${took(Date.parse(run.ended_at) - Date.parse(run.started_at))}`} · <span class="mono">{run.mission_id}</span>
        {run.attempt > 1 && ` · attempt ${run.attempt}`}{run.reason !== null && ` · ${run.reason}`}
      </div>
    </div>
    <Chip tone={outcomeTone[run.outcome]}>{inWords(run.outcome).toLowerCase()}</Chip>
  </a>
);
