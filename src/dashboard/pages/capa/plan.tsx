import { useSignal } from '@preact/signals';
import { useContext } from 'preact/hooks';
import type { CapaAction } from '../../../domain/capa.ts';
import type { CapaView } from '../../../domain/capa-view.ts';
import { inPath } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import { may } from '../../session.ts';
import { now } from '../../time.ts';
import { fromLocal, localMoment, patchCapa, Reread, Section } from './section.tsx';
import { StartMission } from './start-mission.tsx';

/** The actions of the plan: who does what until when, the missions that do it, and what is done. */
export const Actions = ({ capa }: { capa: CapaView }) => (
  <Section capa={capa} title="Actions" fields={['actions']} form={() => <ActionFields actions={capa.actions} />} read={readActions}>
    {capa.actions.length === 0 && <div class="capa-part"><p class="faint">No action is planned yet.</p></div>}
    {capa.actions.map((action) => <ActionRow key={action.action_id} capa={capa} action={action} />)}
  </Section>
);

function ActionRow({ capa, action }: { capa: CapaView; action: CapaAction }) {
  const starting = useSignal(false);
  const reread = useContext(Reread);
  const { action_id: id, description, owner, due_at, missions, done } = action;
  const working = capa.state === 'IMPLEMENTING' && done === null;
  const late = done === null && ['PLAN_APPROVED', 'IMPLEMENTING'].includes(capa.state) && Date.parse(due_at) <= now.value;
  return (
    <div class="row capa-action">
      <div class="wrap">
        <span class="capa-text">{description}</span>
        <div class="sub">
          <span class="mono">{id}</span> · {owner} · {done === null ? <>due <Age at={due_at} /></> : <>done by {done.by} <Age at={done.at} /></>}
          {missions.map((mission) => <> · <a class="link mono" key={mission} href={`/missions/${inPath(mission)}`}>{mission}</a></>)}
        </div>
      </div>
      <div class="bar">
        {done !== null && <Chip tone="good">done</Chip>}
        {late && <Chip tone="bad">overdue</Chip>}
        {working && may('mission:create') && !starting.value && <button type="button" onClick={() => { starting.value = true; }}>Start mission</button>}
        {working && may('capa:edit') && (
          <ActionButton run={async (reason) => { await patchCapa(capa, { done: [id] }, reason); await reread(); return `${id} is done`; }}
            ask={{ title: `Is ${id} done?`, effect: `“${description}” counts as done by you. It cannot be taken back in this state. If its mission did not end well, say why it is done all the same.`, verb: 'Done', reason: 'optional' }}>Mark done</ActionButton>
        )}
      </div>
      {starting.value && working && <StartMission capa={capa} action={action} done={() => { starting.value = false; void reread(); }} />}
    </div>
  );
}

interface Draft { key: number; action: Pick<CapaAction, 'action_id' | 'description' | 'owner' | 'due_at'> }

function ActionFields({ actions }: { actions: readonly CapaAction[] }) {
  const drafts = useSignal<readonly Draft[]>(actions.length === 0 ? [draft(0, 'a1')] : actions.map((action, key) => ({ key, action })));
  const next = Math.max(-1, ...drafts.value.map(({ key }) => key)) + 1;
  return (
    <>
      {drafts.value.map(({ key, action }) => (
        <fieldset key={key} data-action>
          <legend>Action</legend>
          <div class="beside">
            <label><span>Id</span><input name="action_id" required maxLength={100} defaultValue={action.action_id} /></label>
            <label><span>Owner</span><input name="owner" required maxLength={100} defaultValue={action.owner} /></label>
            <label><span>Due</span><input name="due_at" type="datetime-local" required defaultValue={localMoment(action.due_at)} /></label>
          </div>
          <label><span>What is done</span><textarea name="description" rows={2} required maxLength={10_000} defaultValue={action.description} /></label>
          <div><button type="button" class="link" onClick={() => { drafts.value = drafts.value.filter((one) => one.key !== key); }}>Remove this action</button></div>
        </fieldset>
      ))}
      <div><button type="button" onClick={() => { drafts.value = [...drafts.value, draft(next, `a${next + 1}`)]; }}>Add an action</button></div>
    </>
  );
}

const weekMs = 7 * 86_400_000;
const draft = (key: number, action_id: string): Draft => ({ key, action: { action_id, description: '', owner: '', due_at: new Date(Date.now() + weekMs).toISOString() } });

function readActions(form: HTMLFormElement) {
  const text = (group: Element, name: string): string => group.querySelector<HTMLInputElement | HTMLTextAreaElement>(`[name="${name}"]`)!.value.trim();
  return {
    actions: [...form.querySelectorAll('[data-action]')].map((group) => ({
      action_id: text(group, 'action_id'), description: text(group, 'description'), owner: text(group, 'owner'), due_at: fromLocal(text(group, 'due_at')),
    })),
  };
}
