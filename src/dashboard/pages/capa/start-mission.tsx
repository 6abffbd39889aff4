import { useSignal } from '@preact/signals';
import type { CapaAction } from '../../../domain/capa.ts';
import type { CapaView } from '../../../domain/capa-view.ts';
import { severities } from '../../../domain/mission.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { inPath, newIdempotencyKey, post } from '../../api.ts';
import { sayDone, sayRefused } from '../../parts/answers.tsx';
import { Choice } from '../../parts/choice.tsx';
import { fieldOf } from '../../parts/form.ts';
import { useResource } from '../../resource.ts';
import { linesOf } from './section.tsx';

/** A coding mission for one action: symptoms and targets are the record's, the rest is asked here. */
export function StartMission({ capa, action, done }: { capa: CapaView; action: CapaAction; done: () => void }) {
  const repositories = useResource<{ items: { repository_id: string; name: string }[] }>('/repositories');
  const sending = useSignal(false);
  const key = useSignal(newIdempotencyKey());
  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target;
    const [agent, diff, path] = [fieldOf(form, 'assigned_to'), fieldOf(form, 'diff'), fieldOf(form, 'repo_path')];
    sending.value = true;
    try {
      const mission = await post<MissionDetail>(`/capa/${inPath(capa.capa_id)}/mission`, {
        action_id: action.action_id, severity: fieldOf(form, 'severity'), must_pass_tests: linesOf(fieldOf(form, 'must_pass_tests')),
        ...(agent === '' ? {} : { assigned_to: agent }), execute: fieldOf(form, 'execute') !== '',
        workspace: {
          ...(path === '' ? { repository: fieldOf(form, 'repository') } : { repo_path: path }),
          patch_candidates: diff === '' ? [] : [{ kind: 'diff', text: `${diff}\n` }],
        },
      }, { 'idempotency-key': key.value });
      sayDone(`${mission.mission_id} was made for ${action.action_id}`);
      done();
    } catch (error) {
      // Sent again after it was mended, it is another intent.
      key.value = newIdempotencyKey();
      sayRefused(error);
    } finally {
      sending.value = false;
    }
  }
  const known = repositories.data?.items ?? [];
  return (
    <form class="fields" onSubmit={(event) => { void submit(event); }}>
      <p class="sub">Its symptom is the record's problem, its target the record's criterion: {capa.criterion === null ? 'none' : `${capa.criterion.metric_id} ${capa.criterion.comparator} ${capa.criterion.target}`}.</p>
      <div class="beside">
        {known.length > 0
          ? <label><span>Repository</span><select name="repository">{known.map((one) => <option key={one.repository_id} value={one.name}>{one.name}</option>)}</select></label>
          : <label><span>Path of the repository</span><input name="repo_path" required maxLength={4_000} /></label>}
        <label><span>Severity</span><Choice name="severity" options={severities} value="high" /></label>
        <label><span>Agent that writes the change</span><input name="assigned_to" maxLength={200} /></label>
      </div>
      <label><span>Or a change that is there already, as a diff</span><textarea name="diff" class="mono" rows={2} /></label>
      <label><span>Tests that must pass, one a line</span><textarea name="must_pass_tests" rows={2} /></label>
      <label class="check"><input type="checkbox" name="execute" defaultChecked /><span>Start it at once</span></label>
      <div class="buttons">
        <button type="button" onClick={done}>Cancel</button>
        <button type="submit" class="primary" aria-busy={sending.value} disabled={sending.value}>Make the mission</button>
      </div>
    </form>
  );
}
