import { Tabs } from '../parts/tabs.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Chip } from '../parts/chip.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { may } from '../session.ts';
import { now } from '../time.ts';
import { healthTone } from '../words.ts';
import { DependencyMap } from './subsystems/map.tsx';
import { Metrics } from './subsystems/metrics.tsx';
import { SubsystemRow } from './subsystems/subsystem-row.tsx';
import { lookEveryMs, shownNow, worstFirst, type SubsystemView } from './subsystems/wire.ts';
import './subsystems.css';

/** Every part and watched subsystem: what depends on what, how each is, and how old that knowledge is. */
export function SubsystemsPage() {
  const subsystems = useResource<{ items: SubsystemView[] }>('/subsystems', {
    every_ms: lookEveryMs, on: (event) => event.type === 'subsystem.health_changed' || event.type.startsWith('finding.'),
  });
  const items = (subsystems.data?.items ?? []).map((one) => shownNow(one, subsystems.loaded_at, now.value));
  const counts = worstFirst.map((state) => [state, items.filter((one) => one.state === state).length] as const).filter(([, n]) => n > 0);
  return (
    <>
      <PageHeader title="Subsystems" chips={counts.map(([state, n]) => <Chip key={state} tone={healthTone[state]}>{n} {state}</Chip>)} />
      <section class="card">
        <Tabs label="Subsystems" tabs={[
          { id: 'health', label: 'Health', show: () => (
            <Loaded of={subsystems} what="subsystems">
              {() => (items.length === 0
                ? <Empty title="Nothing is watched">Declare what to watch in <code>config/subsystems.yaml</code>.</Empty>
                : (
                  <>
                    <DependencyMap items={items} />
                    {items.toSorted((a, b) => worstFirst.indexOf(a.state) - worstFirst.indexOf(b.state)).map((one) => <SubsystemRow key={one.id} one={one} />)}
                  </>
                ))}
            </Loaded>
          ) },
          ...(may('metric:read') ? [{ id: 'metrics', label: 'Metrics', show: () => <Metrics subsystem={null} /> }] : []),
        ]} />
      </section>
    </>
  );
}
