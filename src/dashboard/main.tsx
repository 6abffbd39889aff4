import { render } from 'preact';
import { App } from './frame/app.tsx';
import './theme.ts';

// A new build has replaced the files that this page would load next: the page is loaded anew, once.
addEventListener('vite:preloadError', (event) => {
  const key = 'mission-control.reloaded-at';
  if (Date.now() - Number(sessionStorage.getItem(key) ?? 0) < 10_000) return;
  event.preventDefault();
  sessionStorage.setItem(key, String(Date.now()));
  location.reload();
});

render(<App />, document.getElementById('app')!);
