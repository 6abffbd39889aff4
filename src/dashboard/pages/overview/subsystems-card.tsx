import type { HealthState } from '../../../domain/subsystem.ts';
import { Card } from '../../parts/card.tsx';
import { Dot } from '../../parts/chip.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { absolute, duration, now } from '../../time.ts';
import { healthTone } from '../../words.ts';

interface Subsystem { id: string; name: string; state: HealthState; reason: string | null; measured_at: string | null; inhibited_by: string | null }

const everyMs = 10_000;
const worstFirst: readonly HealthState[] = ['unhealthy', 'degraded', 'unknown', 'healthy'];
const shown = 12;

/** Each subsystem's health with the age of its measurement. A green light without an age would say nothing. */
export function SubsystemsCard() {
  const subsystems = useResource<{ items: Subsystem[] }>('/subsystems', { every_ms: everyMs, on: (event) => event.type === 'subsystem.health_changed' });
  const items = [...subsystems.data?.items ?? []].sort((a, b) => worstFirst.indexOf(a.state) - worstFirst.indexOf(b.state));
  const counts = worstFirst.toReversed().map((state) => [state, items.filter((one) => one.state === state).length] as const).filter(([, n]) => n > 0);
  return (
    <Card title="Subsystems" aside={counts.map(([state, n]) => `${n} ${state}`).join(' · ')}>
      <Loaded of={subsystems} what="subsystems">
        {() => (items.length === 0
          ? <Empty title="Nothing is watched">Declare what to watch in <code>config/subsystems.yaml</code>.</Empty>
          : (
            <div class="health">
              {items.slice(0, shown).map((one) => (
                <div key={one.id} title={`${one.name}: ${one.state}${one.reason === null ? '' : `, ${one.reason}`}${one.measured_at === null ? '' : `\nmeasured ${absolute(one.measured_at)}`}`}>
                  <Dot tone={healthTone[one.state]} />
                  <span class="clip">{one.id}</span>
                  <small>{one.state === 'healthy' ? '' : `${one.state} · `}{one.measured_at === null ? 'never' : duration(Math.max(1_000, now.value - Date.parse(one.measured_at)))}</small>
                </div>
              ))}
            </div>
          ))}
      </Loaded>
    </Card>
  );
}
