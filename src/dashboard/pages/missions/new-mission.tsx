import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { severities } from '../../../domain/mission.ts';
import { ApiProblem, newIdempotencyKey, post } from '../../api.ts';
import { sayDone } from '../../parts/answers.tsx';
import { fieldOf } from '../../parts/form.ts';
import { useResource } from '../../resource.ts';
import { navigate } from '../../route.ts';
import { may } from '../../session.ts';
import { bodyOf, type Draft } from './draft.ts';

interface Template { template_id: string; name: string; description: string | null; package: Record<string, unknown> }
interface Repository { repository_id: string; name: string; path?: string | null }

/** The form of a new mission: what every one needs as fields, everything else as JSON laid over them. */
export function NewMission({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const problem = useSignal<ApiProblem | null>(null);
  const pending = useSignal(false);
  const template = useSignal<Template | null>(null);
  // One key for one filled form: sent twice, it is one mission.
  const key = useRef(newIdempotencyKey());
  const templates = useResource<{ items: Template[] }>('/templates');
  const repositories = useResource<{ items: Repository[] }>(may('repository:read') ? '/repositories' : null);
  useEffect(() => { dialog.current?.showModal(); }, []);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (pending.value) return;
    const form = event.target;
    pending.value = true;
    try {
      const names = ['title', 'subsystem_id', 'severity', 'symptom', 'repository', 'assigned_to', 'tests', 'minutes', 'diff', 'more', 'start'] as const;
      const draft = Object.fromEntries(names.map((name) => [name, fieldOf(form, name)])) as unknown as Draft;
      const { mission_id: id } = await post<{ mission_id: string }>('/missions', bodyOf(draft), { 'idempotency-key': key.current });
      sayDone(`${id} handed in`);
      navigate(`/missions/${encodeURIComponent(id)}`);
    } catch (error) {
      problem.value = error instanceof ApiProblem ? error : new ApiProblem(0, 'INVALID', (error as Error).message);
      // Refused, it may be mended and sent as another.
      if (problem.value.status >= 400 && problem.value.status < 500) key.current = newIdempotencyKey();
    } finally {
      pending.value = false;
    }
  }

  const given = template.value?.package ?? {};
  return (
    <dialog ref={dialog} class="new-mission" aria-labelledby="new-title" onCancel={(event) => { event.preventDefault(); close(); }}>
      <form onSubmit={(event) => { void submit(event); }} key={template.value?.template_id ?? ''}>
        <h2 id="new-title">New mission</h2>
        {(templates.data?.items.length ?? 0) > 0 && (
          <label><span>Template</span>
            <select value={template.value?.template_id ?? ''} onChange={(event) => { template.value = templates.data?.items.find((one) => one.template_id === event.currentTarget.value) ?? null; }}>
              <option value="">none</option>
              {templates.data?.items.map((one) => <option key={one.template_id} value={one.template_id}>{one.name}</option>)}
            </select>
            {template.value?.description && <small class="sub">{template.value.description}</small>}
          </label>
        )}
        <label><span>Title</span><input name="title" required maxLength={200} autoFocus defaultValue={textOf(given['title'])} placeholder="Event delivery latency over 100 ms" /></label>
        <div class="pair">
          <label><span>Subsystem</span><input name="subsystem_id" required maxLength={200} defaultValue={textOf(given['subsystem_id'])} placeholder="trigger_mesh" /></label>
          <label><span>Severity</span><select name="severity">{severities.map((one) => <option key={one} selected={one === (textOf(given['severity']) || 'medium')}>{one}</option>)}</select></label>
        </div>
        <label><span>What is wrong</span><textarea name="symptom" rows={2} maxLength={10_000} placeholder="p95 is 150 ms since Tuesday" /></label>
        <div class="pair">
          <label><span>Repository: a name, or a path on the server</span>
            <input name="repository" list="repositories" maxLength={4_000} />
            <datalist id="repositories">{repositories.data?.items.map((one) => <option key={one.repository_id} value={one.name} />)}</datalist>
          </label>
          <label><span>Agent (or give a patch below)</span><input name="assigned_to" maxLength={200} defaultValue={textOf(given['assigned_to'])} /></label>
        </div>
        <div class="pair">
          <label><span>Tests that must pass, one a line</span><textarea name="tests" rows={2} /></label>
          <label><span>Watch for, in minutes</span><input name="minutes" type="number" min="0.001" max="10080" step="any" placeholder="30" /></label>
        </div>
        <label><span>Patch, as a unified diff (optional)</span><textarea name="diff" rows={3} class="mono" spellcheck={false} /></label>
        <details open={template.value !== null}>
          <summary>Everything else, as JSON laid over the fields</summary>
          <textarea name="more" rows={8} class="mono" spellcheck={false} aria-label="Further fields as JSON" defaultValue={template.value === null ? '' : JSON.stringify(withoutFields(given), null, 2)}
            placeholder={'{"labels": ["checkout"], "acceptance_criteria": {"metric_targets": [{"metric_id": "…", "comparator": "<", "target": 100}]}}'} />
          <p class="sub">All fields are in the <a href="/docs" target="_blank" rel="noreferrer">API reference</a>.</p>
        </details>
        <label class="check"><input type="checkbox" name="start" value="yes" defaultChecked /> Start it at once</label>
        <div role="alert">
          {problem.value !== null && (
            <div class="failed"><b>Not handed in</b><p>{problem.value.message}</p>
              {problem.value.errors.length > 1 && <ul>{problem.value.errors.map(({ path, message }) => <li key={path + message}><span class="mono">{path}</span>: {message}</li>)}</ul>}
            </div>
          )}
        </div>
        <div class="buttons">
          <button type="button" onClick={close}>Cancel</button>
          <button type="submit" class="primary" aria-busy={pending.value}>Hand in</button>
        </div>
      </form>
    </dialog>
  );
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What the template says beyond the fields of the form. */
function withoutFields({ title: _title, subsystem_id: _subsystem, severity: _severity, assigned_to: _agent, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return rest;
}
