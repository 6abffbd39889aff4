import { inPath } from '../../api.ts';
import { Age, Span } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import { healthTone, plural } from '../../words.ts';
import type { SubsystemView } from './wire.ts';

/** One subsystem in words: its health, why, since when, how old that knowledge is, and what it depends on. */
export const SubsystemRow = ({ one }: { one: SubsystemView }) => (
  <a class="row subsystem" href={`/subsystems/${inPath(one.id)}`} data-subsystem={one.id}>
    <div class="wrap">
      {one.name} <span class="mono">{one.id}</span>
      <div class="sub">
        {one.reason !== null && `${one.reason} · `}{one.inhibited_by !== null && `explained by ${one.inhibited_by} · `}
        {one.depends_on.length > 0 ? `depends on ${one.depends_on.join(', ')}` : 'depends on nothing here'}
        {one.open_findings.length > 0 && <b> · {plural(one.open_findings.length, 'open finding')}</b>}
      </div>
    </div>
    <div class="state">
      <Chip tone={healthTone[one.state]}>{one.state}</Chip>
      <small>{one.since !== null && <>for <Span at={one.since} /> · </>}{one.measured_at === null ? 'never measured' : <>measured <Age at={one.measured_at} /></>}</small>
    </div>
  </a>
);
