import { ApiProblem, inPath, newIdempotencyKey, post } from '../api.ts';
import type { MissionDetail } from '../../domain/mission-view.ts';
import { ActionButton } from '../parts/action-button.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Failed, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { may } from '../session.ts';
import { duration } from '../time.ts';
import { plural } from '../words.ts';
import type { PageProps } from './index.ts';
import { HealButton } from './playbooks/heal-button.tsx';
import { PlanPreview } from './playbooks/plan-preview.tsx';
import { RunRow } from './playbooks/runs.tsx';
import { aboutPlaybooks, effectiveness, type BoundPlaybook, type PlaybookRun, type PlaybookView } from './playbooks/wire.ts';
import { riskTone, riskWords } from './playbooks/words.ts';
import './playbooks.css';

/** One playbook: where it is bound and what it may do there now, what it would do, and what it did. */
export function PlaybookPage({ params }: PageProps) {
  const id = params['playbook_id']!;
  const playbooks = useResource<{ items: PlaybookView[] }>('/playbooks', { on: aboutPlaybooks });
  const runs = useResource<{ items: PlaybookRun[] }>(`/playbooks/${inPath(id)}/runs?limit=100`, { on: aboutPlaybooks });
  const playbook = playbooks.data?.items.find((one) => one.playbook_id === id);
  return (
    <>
      <PageHeader title={playbook?.title ?? id} chips={playbook !== undefined && <Chip tone={riskTone[playbook.risk]}>{playbook.risk} risk</Chip>} />
      <Loaded of={playbooks} what="the playbook">
        {() => (playbook === undefined
          ? <Failed error={new ApiProblem(404, 'PLAYBOOK_NOT_FOUND', `there is no playbook ${id}`)} />
          : (
            <div class="cols">
              <div class="stack">
                <Card title="Bound to" aside={plural(playbook.bindings.length, 'resource')}>
                  {playbook.bindings.length === 0 && <Empty title="Bound to nothing">It works on {playbook.resources.join(' or ')}. Bind it to a resource in <code>config/playbooks.yaml</code>; until then it does nothing.</Empty>}
                  {playbook.bindings.map((binding) => <BindingRow key={`${binding.subsystem_id} ${binding.resource_id}`} playbook={playbook} binding={binding} />)}
                </Card>
                <Card title="Runs" aside={runs.data === null ? undefined : String(runs.data.items.length)}>
                  <Loaded of={runs} what="runs">
                    {({ items }) => (items.length === 0
                      ? <Empty title="It has not run">A plan shows what it would do, and changes nothing.</Empty>
                      : <>{items.map((run) => <RunRow key={`${run.mission_id} ${run.attempt}`} run={run} />)}</>)}
                  </Loaded>
                </Card>
              </div>
              <About playbook={playbook} />
            </div>
          ))}
      </Loaded>
    </>
  );
}

function About({ playbook }: { playbook: PlaybookView }) {
  const { playbook_id: id, version, symptoms, resources, risk, next_rung: next, advice } = playbook;
  const helped = effectiveness(playbook);
  return (
    <Card title="Playbook">
      <dl>
        <dt>Id</dt><dd class="mono">{id}, version {version}</dd>
        <dt>For</dt><dd>{symptoms.join(', ')}</dd>
        <dt>Works on</dt><dd>{resources.join(', ')}</dd>
        <dt>Risk</dt><dd>{risk}: {riskWords[risk]}</dd>
        <dt>Effective, 30 days</dt><dd>{helped === null ? 'not known: it has not acted' : `${helped.effective} of ${plural(helped.acted, 'run')} that acted`}</dd>
        {playbook.runs.map(({ outcome, runs }) => <><dt key={`${outcome}?`}>{outcome.replaceAll('_', ' ')}</dt><dd key={outcome} class="num">{runs}</dd></>)}
        <dt>If it does not help</dt><dd>{next === null ? 'a person' : <a class="link" href={`/playbooks/${inPath(next)}`}>{next}</a>}</dd>
      </dl>
      <p class="row sub">{advice}</p>
    </Card>
  );
}

function BindingRow({ playbook, binding }: { playbook: PlaybookView; binding: BoundPlaybook }) {
  const { subsystem_id, resource_id, ruling, limits, approval, quarantined, params } = binding;
  const allowed = ruling.kind === 'allowed';
  const asks = allowed ? [...ruling.needs_person, ...(approval === 'always' ? ['the binding asks for approval'] : [])] : [];
  const settings = Object.entries((params ?? {}) as Record<string, unknown>);
  return (
    <div class="row bound">
      <div class="bar">
        <a href={`/subsystems/${inPath(subsystem_id)}`}><b>{subsystem_id}/{resource_id}</b></a>
        <Chip tone={allowed ? 'good' : 'warn'}>{allowed ? 'may run' : ruling.code.toLowerCase().replaceAll('_', ' ')}</Chip>
        {asks.length > 0 && <Chip tone="wait" title={asks.join('; ')}>asks a person</Chip>}
        <span class="grow" />
        {may('healing:start') && <HealButton subsystem={subsystem_id} playbook={playbook} resource={resource_id} />}
      </div>
      {!allowed && <p class="sub">It does nothing here now: {ruling.reason}.</p>}
      {asks.length > 0 && <p class="sub">A person agrees first: {asks.join('; ')}.</p>}
      <p class="sub">
        at most {plural(limits.max_runs, 'run')} in {duration(limits.max_runs_per_seconds * 1_000)} · rests {duration(limits.cooldown_success_seconds * 1_000)} after success, {duration(limits.cooldown_failure_seconds * 1_000)} after failure · provisional for {duration(limits.recurrence_window_seconds * 1_000)}
        {settings.length > 0 && ` · ${settings.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')}`}
      </p>
      {quarantined !== null && may('healing:release') && (
        <div><ActionButton
          run={async (reason) => { await post(`/playbooks/${inPath(playbook.playbook_id)}/release`, { subsystem: subsystem_id, resource: resource_id, reason }); return `${playbook.playbook_id} may work on ${subsystem_id}/${resource_id} again`; }}
          ask={{ title: 'Release from quarantine?', effect: `${playbook.playbook_id} may work on ${subsystem_id}/${resource_id} by itself again, and its limits count anew from now. It was quarantined because ${quarantined}.`, verb: 'Release', reason: 'required', dangerous: true }}
        >Release from quarantine</ActionButton></div>
      )}
      {may('healing:plan') && <PlanPreview playbook={playbook.playbook_id} plan={() => post<MissionDetail>(`/playbooks/${inPath(playbook.playbook_id)}/plan`, { subsystem: subsystem_id, resource: resource_id }, { 'idempotency-key': newIdempotencyKey() })} />}
    </div>
  );
}
