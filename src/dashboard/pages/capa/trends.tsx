import type { CapaTrends, ParetoRow } from '../../../domain/capa-trends.ts';
import { Card } from '../../parts/card.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { duration } from '../../time.ts';
import { aboutCapa, stateWord } from './words.ts';

const percent = (share: number | null): string => (share === null ? '–' : `${(100 * share).toFixed(0)} %`);

/** What many records say together: do problems come back, where do records lie, do actions work. */
export function Trends() {
  const trends = useResource<CapaTrends & { from: string; until: string }>('/capa/trends', { on: aboutCapa });
  return (
    <Loaded of={trends} what="trends">
      {(data) => (data.records === 0
        ? <Empty title="Nothing to tell yet">Trends are made of the records that were opened in the last 90 days.</Empty>
        : (
          <div class="trends">
            <section class="kpis-capa" aria-label="Figures, 90 days">
              <Figure label="Opened, 90 days" value={String(data.records)} more={`${data.open} still open`} />
              <Figure label="Came back while open" value={percent(data.recurrence_rate)} more={`${data.occurrences} reports`} />
              <Figure label="Plans without effect" value={percent(data.effectiveness.ineffective_share)} more={`${data.effectiveness.effective} effective, ${data.effectiveness.ineffective} not`} />
            </section>
            <div class="cards">
              <Bars title="By source" rows={data.by_source} />
              <Bars title="By subsystem" rows={data.by_subsystem} />
              <Card title="Time in state" aside="median · longest">
                {data.time_in_state.map((one) => (
                  <Bar key={one.state} label={stateWord(one.state)} value={`${duration(one.median_seconds * 1_000)} · ${duration(one.longest_seconds * 1_000)}`}
                    share={one.median_seconds / Math.max(1, ...data.time_in_state.map((other) => other.median_seconds))} />
                ))}
              </Card>
            </div>
          </div>
        ))}
    </Loaded>
  );
}

const Figure = ({ label, value, more }: { label: string; value: string; more: string }) => <div><small>{label}</small><b>{value}</b><small>{more}</small></div>;

const Bars = ({ title, rows }: { title: string; rows: readonly ParetoRow[] }) => (
  <Card title={title} aside="reports">
    {rows.slice(0, 12).map((row) => (
      <Bar key={row.key} label={row.key.replaceAll('_', ' ')} value={`${row.occurrences} · ${percent(row.cumulative_share)} so far`} share={row.occurrences / Math.max(1, rows[0]?.occurrences ?? 1)} />
    ))}
  </Card>
);

const Bar = ({ label, value, share }: { label: string; value: string; share: number }) => (
  <div class="row measure">
    <span class="clip">{label}</span><span class="num faint">{value}</span>
    <i aria-hidden="true"><b style={{ width: `${Math.max(1, 100 * share)}%` }} /></i>
  </div>
);
