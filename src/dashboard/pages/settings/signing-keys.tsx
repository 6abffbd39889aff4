import { useSignal } from '@preact/signals';
import { post } from '../../api.ts';
import { Age } from '../../parts/age.tsx';
import { sayDone, sayRefused } from '../../parts/answers.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { fieldOf } from '../../parts/form.ts';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';

interface SigningKey { key_id: string; principal_id: string; public_key: string; created_at: string }

/** Public keys that mission packages are signed with. */
export function SigningKeys() {
  const keys = useResource<{ items: SigningKey[] }>('/signing-keys', { on: ({ type }) => type === 'signing_key.added' });
  const pending = useSignal(false);
  async function register(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    pending.value = true;
    try {
      const key = await post<SigningKey>('/signing-keys', { principal_id: fieldOf(form, 'principal_id'), public_key: fieldOf(form, 'public_key') });
      form.reset();
      await keys.reload();
      sayDone(`${key.key_id} signs for ${key.principal_id} from now on.`);
    } catch (error) {
      sayRefused(error);
    } finally {
      pending.value = false;
    }
  }
  return (
    <div class="sections one">
      <section>
        <h3>Signing keys of mission packages</h3>
        <Loaded of={keys} what="signing keys">
          {({ items }) => (items.length === 0
            ? <Empty title="No signing key is registered">A package that is signed with a registered Ed25519 key proves who made it, whoever handed it in.</Empty>
            : (
              <div class="scroll-x">
                <table>
                  <thead><tr><th>Holder</th><th>Key</th><th>Public key</th><th>Registered</th></tr></thead>
                  <tbody>{items.map((key) => <tr key={key.key_id}><td><b>{key.principal_id}</b></td><td><Copyable value={key.key_id} /></td><td><Copyable value={key.public_key.replaceAll(/-----[^-]+-----|\s/g, '')} short={24} /></td><td><Age at={key.created_at} /></td></tr>)}</tbody>
                </table>
              </div>
            ))}
        </Loaded>
      </section>
      <section>
        <h3>Register a signing key</h3>
        <form class="fields" onSubmit={(event) => { void register(event); }}>
          <label><span>Holder</span><input name="principal_id" required maxLength={200} spellcheck={false} autoComplete="off" /></label>
          <label class="wide"><span>Ed25519 public key, PEM</span><textarea name="public_key" class="mono" rows={3} required spellcheck={false} placeholder="-----BEGIN PUBLIC KEY-----" /></label>
          <button type="submit" aria-busy={pending.value} disabled={pending.value}>Register</button>
        </form>
      </section>
    </div>
  );
}
