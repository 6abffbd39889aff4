import { useSignal } from '@preact/signals';
import type { StageRecord } from '../../../domain/stages.ts';
import { artifactPath } from '../../api.ts';
import { now, took } from '../../time.ts';
import { inWords, plural, stageTone } from '../../words.ts';

const marks = { pending: '', running: '●', waiting: '●', passed: '✓', failed: '✕', skipped: '–' } as const;

/** The whole track, live: every stage of this mission's pipeline, with what it took. A click shows what a stage said. */
export function Stages({ stages, waiting }: { stages: readonly StageRecord[]; waiting: boolean }) {
  const chosen = useSignal<string | null>(null);
  const open = stages.find((stage) => stage.name === chosen.value);
  return (
    <section class="card" aria-label="Stages">
      <ol class="stages" style={{ gridTemplateColumns: `repeat(${stages.length}, minmax(0, 1fr))` }}>
        {stages.map((stage) => {
          const status = stage.status === 'running' && waiting ? 'waiting' : stage.status;
          return (
            <li key={stage.name} class={`${status === 'pending' ? 'todo' : ''} ${status === 'running' || status === 'waiting' ? 'sel' : ''}`}>
              <button type="button" aria-expanded={stage === open} disabled={status === 'pending'} title={stage.reason ?? undefined}
                onClick={() => { chosen.value = stage === open ? null : stage.name; }}>
                <span class={`mark ${status === 'pending' ? '' : stageTone[status]}`} aria-hidden="true">{marks[status]}</span>
                <b>{inWords(stage.name)}</b>
                <em><span class="said">{status}, </span><span>{timeOf(stage)}</span>{stage.attempt > 1 && <> <span>· try {stage.attempt}</span></>}</em>
              </button>
            </li>
          );
        })}
      </ol>
      {open !== undefined && (
        <div class="stage-said">
          <p><b>{inWords(open.name)}</b> {open.status}{open.reason !== null && <>: <span class="wrap">{open.reason}</span></>}</p>
          {open.evidence.length > 0 && <p class="sub">{plural(open.evidence.length, 'piece')} of evidence: {open.evidence.map((item, i) => <span key={item.sha256 + item.kind}>{i > 0 && ', '}<a href={artifactPath(item.sha256)} download title={item.summary}>{item.kind.replaceAll('_', ' ')}</a></span>)}</p>}
        </div>
      )}
    </section>
  );
}

function timeOf({ status, started_at: start, duration_ms: ms }: StageRecord): string {
  if (status === 'skipped') return 'skipped';
  if (ms !== null) return took(ms);
  return start === null ? '' : took(Math.max(0, now.value - Date.parse(start)));
}
