import { inPath } from '../api.ts';
import { Age, Span } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { may } from '../session.ts';
import { duration, now, took } from '../time.ts';
import { healthTone, severityTone } from '../words.ts';
import { findingTone, findingWord } from './findings/words.ts';
import type { PageProps } from './index.ts';
import { HealButton } from './playbooks/heal-button.tsx';
import { aboutPlaybooks, type PlaybookView } from './playbooks/wire.ts';
import { Metrics } from './subsystems/metrics.tsx';
import { lookEveryMs, shownNow, type SubsystemView } from './subsystems/wire.ts';
import './subsystems.css';

/** One subsystem: its health and what it rests on, its findings, its metrics, and what may heal it. */
export function SubsystemPage({ params }: PageProps) {
  const id = params['subsystem_id']!;
  const subsystem = useResource<SubsystemView>(`/subsystems/${inPath(id)}`, {
    every_ms: lookEveryMs, on: (event) => event.type === 'subsystem.health_changed' || event.type.startsWith('finding.'),
  });
  const one = subsystem.data === null ? null : shownNow(subsystem.data, subsystem.loaded_at, now.value);
  return (
    <>
      <PageHeader title={one?.name ?? id} chips={one !== null && (
        <>
          <Chip tone={healthTone[one.state]}>{one.state}</Chip>
          {one.built_in && <Chip>part of Mission Control</Chip>}
        </>
      )} />
      <Loaded of={subsystem} what="the subsystem">
        {() => one !== null && (
          <div class="cols">
            <div class="stack">
              <Probes one={one} />
              <Findings one={one} />
              {may('metric:read') && <Card title="Metrics"><Metrics subsystem={id} opened /></Card>}
            </div>
            <div class="stack">
              <Health one={one} />
              {may('healing:read') && <Healers id={id} />}
            </div>
          </div>
        )}
      </Loaded>
    </>
  );
}

const Health = ({ one }: { one: SubsystemView }) => (
  <Card title="Health">
    <dl>
      <dt>State</dt><dd><Chip tone={healthTone[one.state]}>{one.state}</Chip>{one.since !== null && <> for <Span at={one.since} /></>}</dd>
      {one.reason !== null && <><dt>Why</dt><dd>{one.reason}</dd></>}
      {one.inhibited_by !== null && <><dt>Explained by</dt><dd><a class="link" href={`/subsystems/${inPath(one.inhibited_by)}`}>{one.inhibited_by}</a></dd></>}
      <dt>Measured</dt><dd>{one.measured_at === null ? 'never' : <Age at={one.measured_at} />}</dd>
      <dt>Id</dt><dd class="mono">{one.id}</dd>
      {one.owner !== null && <><dt>Owner</dt><dd>{one.owner}</dd></>}
      <dt>Depends on</dt><dd>{one.depends_on.length === 0 ? 'nothing here' : one.depends_on.map((id) => <><a class="link" key={id} href={`/subsystems/${inPath(id)}`}>{id}</a> </>)}</dd>
    </dl>
  </Card>
);

const Probes = ({ one }: { one: SubsystemView }) => (
  <Card title="Probes" aside={String(one.probes.length)}>
    {one.probes.length === 0 && <Empty title="No probe has measured it">{one.reason ?? 'Nothing is known of it.'}</Empty>}
    {one.probes.map((probe) => {
      const state = probe.stale ? 'unknown' : probe.state;
      return (
        <div class="row subsystem" key={probe.id}>
          <div class="wrap">
            <span class="mono">{probe.id}</span>
            <div class="sub">{probe.reason !== null && `${probe.reason} · `}every {duration(probe.interval_seconds * 1_000)} · took {took(probe.duration_ms)}{probe.value !== null && ` · ${probe.value}`}</div>
          </div>
          <div class="state"><Chip tone={healthTone[state]}>{probe.stale ? 'stale' : probe.state}</Chip><small>measured <Age at={probe.measured_at} /></small></div>
        </div>
      );
    })}
  </Card>
);

const Findings = ({ one }: { one: SubsystemView }) => (
  <Card title="Open findings" aside={<a href={`/findings?subsystem=${inPath(one.id)}&show=all`}>{one.open_findings.length} open</a>}>
    {one.open_findings.length === 0 && <Empty title="None open">What was found before is in the <a href={`/findings?subsystem=${inPath(one.id)}&show=all`}>list of findings</a>.</Empty>}
    {one.open_findings.map((finding) => (
      <a class="row subsystem" key={finding.finding_id} href={`/findings/${inPath(finding.finding_id)}`}>
        <div class="wrap">{finding.title}<div class="sub">since <Age at={finding.first_seen_at} /></div></div>
        <div class="bar"><Chip tone={severityTone[finding.severity]}>{finding.severity}</Chip><Chip tone={findingTone[finding.state]}>{findingWord(finding.state)}</Chip></div>
      </a>
    ))}
  </Card>
);

/** Playbooks that are bound to something of it. */
function Healers({ id }: { id: string }) {
  const playbooks = useResource<{ items: PlaybookView[] }>('/playbooks', { on: aboutPlaybooks });
  return (
    <Card title="Playbooks">
      <Loaded of={playbooks} what="playbooks">
        {({ items }) => {
          const bound = items.flatMap((playbook) => playbook.bindings.filter((one) => one.subsystem_id === id).map((binding) => ({ playbook, binding })));
          return bound.length === 0
            ? <Empty title="Nothing heals it">No playbook is bound to it in <code>config/playbooks.yaml</code>.</Empty>
            : <>{bound.map(({ playbook, binding }) => (
              <div class="row subsystem" key={`${playbook.playbook_id} ${binding.resource_id}`}>
                <div class="wrap"><a href={`/playbooks/${inPath(playbook.playbook_id)}`}>{playbook.title}</a><div class="sub">on {binding.resource_id} · {binding.ruling.kind === 'allowed' ? 'may run' : binding.ruling.reason}</div></div>
                {may('healing:start') && <HealButton subsystem={id} playbook={playbook} resource={binding.resource_id} />}
              </div>
            ))}</>;
        }}
      </Loaded>
    </Card>
  );
}
