import { useSignal } from '@preact/signals';
import type { CapaDetail } from '../../../domain/capa-view.ts';
import { inPath, post } from '../../api.ts';
import { sayRefused } from '../../parts/answers.tsx';
import { Card } from '../../parts/card.tsx';
import { fieldOf } from '../../parts/form.ts';
import { navigate, setQuery } from '../../route.ts';

/** Opens a record by hand. */
export function NewRecord() {
  const sending = useSignal(false);
  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const mission = fieldOf(event.target, 'mission_id');
    sending.value = true;
    try {
      const { capa_id } = await post<CapaDetail>('/capa', {
        subsystem_id: fieldOf(event.target, 'subsystem_id'), problem_statement: fieldOf(event.target, 'problem_statement'), ...(mission === '' ? {} : { mission_id: mission }),
      });
      navigate(`/capa/${inPath(capa_id)}`);
    } catch (error) {
      sayRefused(error);
    } finally {
      sending.value = false;
    }
  }
  return (
    <Card title="New record">
      <form class="row fields" onSubmit={(event) => { void submit(event); }}>
        <div class="beside">
          <label><span>Subsystem</span><input name="subsystem_id" required maxLength={200} autoComplete="off" /></label>
          <label><span>Mission that showed it (optional)</span><input name="mission_id" maxLength={100} autoComplete="off" /></label>
        </div>
        <label><span>Problem: what is wrong, where, since when</span><textarea name="problem_statement" rows={3} required maxLength={10_000} /></label>
        <div class="buttons">
          <button type="button" onClick={() => setQuery({ new: null })}>Cancel</button>
          <button type="submit" class="primary" aria-busy={sending.value} disabled={sending.value}>Open record</button>
        </div>
      </form>
    </Card>
  );
}
