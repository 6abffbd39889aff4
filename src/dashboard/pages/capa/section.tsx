import { useSignal } from '@preact/signals';
import { createContext, type ComponentChildren } from 'preact';
import { useContext } from 'preact/hooks';
import { editableIn } from '../../../domain/capa-edit.ts';
import type { CapaDetail, CapaView } from '../../../domain/capa-view.ts';
import { call, inPath } from '../../api.ts';
import { sayDone, sayRefused } from '../../parts/answers.tsx';
import { fieldOf } from '../../parts/form.ts';
import { Card } from '../../parts/card.tsx';
import { may } from '../../session.ts';

export type Field = keyof typeof editableIn;
export type Edit = Partial<Record<Field, unknown>>;

/** Sends an edit of the version that was seen: of two who edit at once, the second one is told. */
export const patchCapa = (capa: Pick<CapaView, 'capa_id' | 'version'>, edit: Edit, reason = ''): Promise<CapaDetail> =>
  call<CapaDetail>('PATCH', `/capa/${inPath(capa.capa_id)}`, { version: capa.version, ...edit, ...(reason === '' ? {} : { reason }) });

/** Reads the record again: after an own change at once, so that the next one names the new version. */
export const Reread = createContext<() => Promise<void>>(async () => undefined);

interface Props {
  capa: CapaView;
  title: string;
  /** What the form changes: it is offered where all of them may be changed. */
  fields: readonly Field[];
  children: ComponentChildren;
  /** The form's inputs. */
  form: () => ComponentChildren;
  read: (form: HTMLFormElement) => Edit;
  /** A date that moves says why. */
  asksReason?: boolean;
}

/** A part of the record: shown, and where its state and the reader's role allow it, edited in place. */
export function Section({ capa, title, fields, children, form, read, asksReason = false }: Props) {
  /** The version that the form was opened on; null while nothing is edited. */
  const editing = useSignal<number | null>(null);
  const sending = useSignal(false);
  const reread = useContext(Reread);
  const open = may('capa:edit') && fields.every((field) => editableIn[field].includes(capa.state));
  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    sending.value = true;
    try {
      await patchCapa({ capa_id: capa.capa_id, version: editing.value ?? capa.version }, read(form), fieldOf(form, 'reason'));
      await reread();
      editing.value = null;
      sayDone(`${title.toLowerCase()} saved`);
    } catch (error) {
      sayRefused(error);
    } finally {
      sending.value = false;
    }
  }
  return (
    <Card title={title} aside={open && editing.value === null ? <button type="button" class="link" aria-label={`Edit ${title.toLowerCase()}`} onClick={() => { editing.value = capa.version; }}>Edit</button> : undefined}>
      {editing.value === null ? children : (
        <form class="capa-part fields" onSubmit={(event) => { void submit(event); }}>
          {editing.value !== capa.version && <p class="stale">Somebody changed the record meanwhile. Cancel and open the form again to see it; saving this will be refused.</p>}
          {form()}
          {asksReason && <label><span>Reason, when a date moves</span><input name="reason" maxLength={2_000} /></label>}
          <div class="buttons">
            <button type="button" onClick={() => { editing.value = null; }}>Cancel</button>
            <button type="submit" class="primary" aria-busy={sending.value} disabled={sending.value}>Save</button>
          </div>
        </form>
      )}
    </Card>
  );
}

/** Text of many lines that a person wrote. */
export const Long = ({ text, none }: { text: string | null | undefined; none: string }) =>
  (text === null || text === undefined || text === '' ? <p class="faint">{none}</p> : <p class="capa-text">{text}</p>);

/** A moment as `<input type="datetime-local">` takes it: in the reader's zone. */
export function localMoment(at: string | null): string {
  if (at === null) return '';
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export const fromLocal = (text: string): string => new Date(text).toISOString();

export const linesOf = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
