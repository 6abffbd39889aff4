import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { pages, type Page } from '../pages/index.ts';
import { place } from '../route.ts';
import { may, signedIn, signOut } from '../session.ts';
import { nextTheme, theme } from '../theme.ts';
import { sayRefused } from '../parts/answers.tsx';
import { ConnectionState } from './connection.tsx';

const isOpen = (page: Page): boolean => (page.path === '/' ? place.value.path === '/' : place.value.path === page.path || place.value.path.startsWith(`${page.path}/`));

/** At the left; on a phone a bar at the bottom, with the rest behind "More". */
export function Navigation() {
  const more = useSignal(false);
  const path = place.value.path;
  useEffect(() => { more.value = false; }, [path]);
  const shown = pages.filter((page) => page.nav !== undefined && (page.needs === undefined || may(page.needs)));
  return (
    <nav aria-label="Pages" class={more.value ? 'all' : ''} onKeyDown={(event) => { if (event.key === 'Escape') more.value = false; }}>
      <a class="brand" href="/"><i aria-hidden="true" />Mission Control</a>
      {shown.map((page) => {
        const count = page.nav?.count?.() ?? null;
        return (
          <a key={page.path} href={page.path} class={`${isOpen(page) ? 'on' : ''} ${page.nav?.primary === true ? '' : 'rest'}`} aria-current={isOpen(page) ? 'page' : undefined}>
            {page.title}{count !== null && <span class={`count ${count.due ? 'due' : ''}`}>{count.n.toLocaleString()}</span>}
          </a>
        );
      })}
      <button type="button" class="more" aria-expanded={more.value} onClick={() => { more.value = !more.value; }}>{more.value ? 'Less' : 'More'}</button>
      <footer>
        <ConnectionState />
        <Account />
      </footer>
    </nav>
  );
}

function Account() {
  const who = signedIn()?.principal;
  if (who === undefined) return null;
  return (
    <div class="account">
      <span title={`${who.kind}, key ${who.key_id}`}>{who.id} <span class="faint">{who.role}</span></span>
      <button type="button" class="link" title="Theme: follow the system, dark or light" onClick={() => { theme.value = nextTheme(); }}>theme: {theme.value}</button>
      <button type="button" class="link" onClick={() => { signOut().catch(sayRefused); }}>sign out</button>
    </div>
  );
}
