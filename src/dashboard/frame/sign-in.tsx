import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fieldOf } from '../parts/form.ts';
import { navigate, place } from '../route.ts';
import { signIn } from '../session.ts';

/** Only an address of our own: a link must not send whoever signs in to somebody else's page. */
function wanted(): string {
  const to = new URLSearchParams(location.search).get('to') ?? '/';
  return to.startsWith('/') && new URL(to, location.origin).origin === location.origin ? to : '/';
}

/** The way in: a code from the fragment, used and wiped from the address at once, or an API key. */
export function SignIn() {
  const pending = useSignal(false);
  const refused = useSignal<string | null>(null);

  async function enter(proof: { code: string } | { api_key: string }): Promise<void> {
    pending.value = true;
    refused.value = null;
    try {
      await signIn(proof);
      navigate(wanted(), { replace: true });
    } catch (error) {
      refused.value = (error as Error).message;
    } finally {
      pending.value = false;
    }
  }

  useEffect(() => {
    const code = location.hash.slice(1);
    if (code === '') return;
    // Neither history nor a screenshot keeps it.
    history.replaceState(null, '', location.pathname + location.search);
    void enter({ code: decodeURIComponent(code) });
  }, [place.value]);

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    const key = fieldOf(event.target, 'api_key');
    if (key !== '') void enter({ api_key: key });
  }

  return (
    <main class="alone">
      <form class="card sign-in" onSubmit={submit}>
        <h1><i aria-hidden="true" />Mission Control</h1>
        <p>Open the address that <code>npm start</code> printed, or get a new one with <code>missionctl open</code>. Or sign in with an API key; the first one is in <code>admin.key</code> in the data directory.</p>
        <label><span>API key</span><input name="api_key" type="password" autoComplete="off" spellcheck={false} required placeholder="mck_…" /></label>
        <button class="primary" type="submit" aria-busy={pending.value}>Sign in</button>
        <div role="alert">{refused.value !== null && <p class="bad">{refused.value}</p>}</div>
      </form>
    </main>
  );
}
