import { useSignal } from '@preact/signals';
import { principalKinds, roles, type PrincipalKind, type Role } from '../../../domain/actor.ts';
import { call, inPath, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Age } from '../../parts/age.tsx';
import { sayDone, sayRefused } from '../../parts/answers.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { fieldOf } from '../../parts/form.ts';
import { Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { signedIn } from '../../session.ts';
import { now } from '../../time.ts';

interface Key {
  key_id: string; principal_id: string; kind: PrincipalKind; role: Role; name: string; created_by: string;
  created_at: string; expires_at: string | null; revoked_at: string | null;
}

const isUsable = ({ revoked_at: revoked, expires_at: expires }: Key): boolean => revoked === null && (expires === null || Date.parse(expires) > now.value);

/** API keys: who may come in as what. */
export function Keys() {
  const keys = useResource<{ items: Key[] }>('/keys', { on: ({ type }) => type.startsWith('key.') });
  const made = useSignal<{ key: string; principal_id: string } | null>(null);
  return (
    <div class="sections one">
      <section>
        <h3>API keys</h3>
        <Loaded of={keys} what="keys">
          {({ items }) => {
            const admins = items.filter((key) => key.role === 'admin' && isUsable(key));
            return (
              <div class="scroll-x">
                <table>
                  <thead><tr><th>Holder</th><th>Role</th><th>Key</th><th>Made</th><th>Ends</th><th><span class="quiet">Revoke</span></th></tr></thead>
                  <tbody>
                    {[...items].sort((a, b) => Number(isUsable(b)) - Number(isUsable(a))).map((key) => <Row key={key.key_id} one={key} isLastAdmin={admins.length === 1 && admins[0] === key} />)}
                  </tbody>
                </table>
              </div>
            );
          }}
        </Loaded>
      </section>
      <section>
        <h3>Make a key</h3>
        {made.value !== null && (
          <div class="fresh" role="status">
            <b>The key of {made.value.principal_id}. Copy it now: it is shown this once, and kept nowhere.</b>
            <Copyable value={made.value.key} />
            <button type="button" onClick={() => { made.value = null; }}>I have it</button>
          </div>
        )}
        <MakeKey made={(key) => { made.value = key; void keys.reload(); }} />
      </section>
    </div>
  );
}

function Row({ one, isLastAdmin }: { one: Key; isLastAdmin: boolean }) {
  const mine = one.key_id === signedIn()?.principal.key_id;
  const usable = isUsable(one);
  async function revoke(): Promise<string> {
    await call('DELETE', `/keys/${inPath(one.key_id)}`);
    return `Revoked ${one.name} of ${one.principal_id}: nothing comes in with it any more.`;
  }
  return (
    <tr class={usable ? '' : 'over'}>
      <td><b>{one.principal_id}</b> <span class="faint">{one.kind}</span></td>
      <td>{one.role}</td>
      <td>{one.name} <Copyable value={one.key_id} short={8} /></td>
      <td><Age at={one.created_at} /> by {one.created_by}</td>
      <td>{one.revoked_at !== null ? <>revoked <Age at={one.revoked_at} /></> : one.expires_at === null ? 'no end' : <Age at={one.expires_at} />}</td>
      <td class="right">
        {mine && usable && <Chip tone="run">yours</Chip>}
        {!usable ? null : isLastAdmin ? <span class="sub" title="Without it nobody could make another key">last admin key: stays</span> : (
          <ActionButton tone="danger" run={revoke} title={`Revoke ${one.name} of ${one.principal_id}`} ask={{
            title: `Revoke ${one.name} of ${one.principal_id}?`, verb: 'Revoke', dangerous: true,
            effect: `Whatever uses this key is refused from its next request on, and every browser that is signed in with it is cut off at once${mine ? ', this one too' : ''}. It cannot be taken back; another key can be made.`,
          }}>Revoke</ActionButton>
        )}
      </td>
    </tr>
  );
}

function MakeKey({ made }: { made: (key: { key: string; principal_id: string }) => void }) {
  const kind = useSignal<PrincipalKind>('person');
  const pending = useSignal(false);
  async function make(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const expires = fieldOf(form, 'expires_at');
    pending.value = true;
    try {
      const key = await post<{ key: string; principal_id: string }>('/keys', {
        principal_id: fieldOf(form, 'principal_id'), kind: kind.value, role: kind.value === 'agent' ? 'agent' : fieldOf(form, 'role'), name: fieldOf(form, 'name'),
        ...(expires === '' ? {} : { expires_at: new Date(expires).toISOString() }),
      });
      form.reset();
      kind.value = 'person';
      made(key);
      sayDone(`A key for ${key.principal_id} was made.`);
    } catch (error) {
      sayRefused(error);
    } finally {
      pending.value = false;
    }
  }
  return (
    <form class="fields" onSubmit={(event) => { void make(event); }}>
      <label><span>Holder</span><input name="principal_id" required maxLength={100} pattern="[A-Za-z0-9][A-Za-z0-9_.@\-]*" title="letters, digits, _ . @ -" spellcheck={false} autoComplete="off" /></label>
      <label><span>Kind</span>
        <select value={kind.value} onChange={(event) => { kind.value = event.currentTarget.value as PrincipalKind; }}>{principalKinds.map((one) => <option key={one} value={one}>{one}</option>)}</select>
      </label>
      <label><span>Role</span>
        {kind.value === 'agent'
          ? <select name="role" disabled><option>agent</option></select>
          : <select name="role">{roles.filter((role) => role !== 'agent').map((role) => <option key={role} value={role}>{role}</option>)}</select>}
      </label>
      <label><span>Name of the key</span><input name="name" required maxLength={200} placeholder="laptop, CI, …" autoComplete="off" /></label>
      <label><span>Ends (optional)</span><input name="expires_at" type="datetime-local" /></label>
      <button type="submit" class="primary" aria-busy={pending.value} disabled={pending.value}>Make the key</button>
    </form>
  );
}
