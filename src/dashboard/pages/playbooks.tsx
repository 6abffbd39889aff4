import { inPath } from '../api.ts';
import { Age } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { plural } from '../words.ts';
import { aboutPlaybooks, effectiveness, type PlaybookView } from './playbooks/wire.ts';
import { riskTone, riskWords } from './playbooks/words.ts';
import './playbooks.css';

/** Every playbook: what it is for, where it may work, and how often it helped. Those that are bound stand first. */
export function PlaybooksPage() {
  const playbooks = useResource<{ items: PlaybookView[] }>('/playbooks', { on: aboutPlaybooks });
  return (
    <>
      <PageHeader title="Playbooks" />
      <Loaded of={playbooks} what="playbooks">
        {({ items }) => {
          const bound = items.filter((one) => one.bindings.length > 0);
          const others = items.filter((one) => one.bindings.length === 0);
          return (
            <>
              <Card title="Bound" aside="effective of acted, 30 days">
                {bound.length === 0 && <Empty title="Nothing heals itself yet">Bind a playbook to a resource in <code>config/playbooks.yaml</code>.</Empty>}
                {bound.map((playbook) => <PlaybookRow key={playbook.playbook_id} playbook={playbook} />)}
              </Card>
              {others.length > 0 && <Card title="Not bound to anything" aside={String(others.length)}>{others.map((playbook) => <PlaybookRow key={playbook.playbook_id} playbook={playbook} />)}</Card>}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function PlaybookRow({ playbook }: { playbook: PlaybookView }) {
  const { playbook_id: id, title, symptoms, risk, bindings, runs } = playbook;
  const quarantined = bindings.filter((one) => one.quarantined !== null).length;
  const last = runs.map((one) => one.last_started_at).sort().at(-1);
  const helped = effectiveness(playbook);
  return (
    <a class="row playbook" href={`/playbooks/${inPath(id)}`}>
      <div class="wrap">
        {title} <span class="mono">{id}</span>
        <div class="sub">for {symptoms.join(', ')} · {bindings.length === 0 ? 'bound to nothing' : `on ${bindings.map((one) => `${one.subsystem_id}/${one.resource_id}`).join(', ')}`}</div>
      </div>
      <div class="chips">
        <Chip tone={riskTone[risk]} title={riskWords[risk]}>{risk} risk</Chip>
        {quarantined > 0 && <Chip tone="bad">{plural(quarantined, 'quarantine')}</Chip>}
      </div>
      <div class="helped">
        <b>{helped === null ? '–' : `${helped.effective} of ${helped.acted}`}</b>
        <small>{last === undefined ? 'has not run' : <>last <Age at={last} /></>}</small>
      </div>
    </a>
  );
}
