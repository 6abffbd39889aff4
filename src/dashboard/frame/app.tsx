import { effect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Answers } from '../parts/answers.tsx';
import { askedNow } from '../parts/ask.ts';
import { navigate, place } from '../route.ts';
import { session, signedIn, whoAmI } from '../session.ts';
import { forget } from '../store.ts';
import { startStream } from '../stream.ts';
import { ConnectionBanner } from './connection.tsx';
import { lazily } from './lazily.tsx';
import { Navigation } from './navigation.tsx';
import { OpenPage } from './open-page.tsx';
import { PaletteHost } from './palette-host.tsx';

const SignIn = lazily(() => import('./sign-in.tsx').then((part) => part.SignIn));
const AskDialog = lazily(() => import('../parts/ask-dialog.tsx').then((part) => part.AskDialog));

/** The whole page: signed in, the frame with one page in it; otherwise the way in. */
export function App() {
  useEffect(() => { if (place.peek().path !== '/sign-in') void whoAmI(); }, []);
  useEffect(() => effect(() => {
    if (session.value === null && place.peek().path !== '/sign-in') {
      // After signing in, back to where they wanted to go.
      const wanted = place.peek().path === '/' ? '' : `?to=${encodeURIComponent(location.pathname + location.search)}`;
      navigate(`/sign-in${wanted}`, { replace: true });
    }
  }), []);
  const known = signedIn();
  const keyId = known?.principal.key_id;
  useEffect(() => {
    if (keyId === undefined) return undefined;
    const stop = startStream();
    return () => {
      stop();
      forget();
    };
  }, [keyId]);

  if (place.value.path === '/sign-in') return <><SignIn /><Answers /></>;
  if (known === null) return <Waiting />;
  return (
    <>
      <a class="skip" href="#main">Skip to content</a>
      <Navigation />
      <main id="main" tabIndex={-1}>
        <ConnectionBanner />
        <OpenPage />
      </main>
      <PaletteHost />
      {askedNow.value !== null && <AskDialog />}
      <Answers />
    </>
  );
}

const Waiting = () => (
  <main class="alone">
    {session.value === 'unreachable'
      ? <div class="failed" role="alert"><b>Mission Control does not answer</b><p>It may be restarting. This page looks again by itself.</p><button type="button" onClick={() => { void whoAmI(); }}>Try again</button></div>
      : <p class="loading">Loading …</p>}
  </main>
);
