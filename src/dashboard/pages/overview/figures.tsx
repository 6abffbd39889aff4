import type { ComponentChildren } from 'preact';
import { computed } from '@preact/signals';
import { Span } from '../../parts/age.tsx';
import { metrics, openMissions } from '../../store.ts';
import { took } from '../../time.ts';
import { dollars, plural, waitsForPerson } from '../../words.ts';

const oldestWait = computed(() => openMissions.value.filter(waitsForPerson).map((mission) => mission.waiting_on!.since).sort()[0]);

/** The counts at the top. What is not known is a dash, never a zero. */
export function Figures() {
  const now = metrics.value;
  const { missions: by, median_to_landed_ms: landed = null } = now ?? {};
  return (
    <section class="card kpis" aria-label="Figures">
      <Figure label="Running" value={by && by.in_progress + by.observing}>{by && `${by.observing} observing · ${by.open} open`}</Figure>
      <Figure label="Waiting for a person" value={now?.waiting_for_person} due={(now?.waiting_for_person ?? 0) > 0}>
        {oldestWait.value === undefined ? 'nobody is waited for' : <>oldest <Span at={oldestWait.value} /></>}
      </Figure>
      <Figure label="Resolved, 7 days" value={now?.resolved_7d}>{now && (now.ended_7d === 0 ? 'none ended' : `${(100 * now.resolved_7d / now.ended_7d).toFixed(1)} % of ended`)}</Figure>
      <Figure label="Rolled back, 7 days" value={now?.rolled_back_7d}>{now && `${now.open_capas} CAPA open`}</Figure>
      <Figure label="Median to landed" value={landed === null ? undefined : took(landed)}>
        {now && (now.p95_to_landed_ms === null ? 'nothing landed' : `p95 ${took(now.p95_to_landed_ms)}`)}
      </Figure>
      <Figure label="Spend today" value={now === null ? undefined : dollars(now.cost_today_micro_usd)}>
        {now && (now.unreported_today === 0 ? 'all reported' : `${plural(now.unreported_today, 'run')} unreported`)}
      </Figure>
    </section>
  );
}

const Figure = ({ label, value, due = false, children }: { label: string; value: number | string | undefined; due?: boolean; children: ComponentChildren }) => (
  <div><small>{label}</small><b class={due ? 'due' : ''}>{typeof value === 'number' ? value.toLocaleString() : value ?? '–'}</b><small>{children}</small></div>
);
