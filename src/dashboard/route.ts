/** Which page is open: the address bar, as a signal. Links are ordinary links; this keeps them from loading the page anew. */
import { signal } from '@preact/signals';

export interface Place { path: string; query: URLSearchParams }

const here = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal<Place>(here());

/** @param options `replace`: the back button skips where we are now */
export function navigate(to: string, options: { replace: boolean } = { replace: false }): void {
  if (to !== location.pathname + location.search) {
    if (options.replace) history.replaceState(null, '', to);
    else history.pushState(null, '', to);
  }
  const before = place.peek().path;
  place.value = here();
  if (place.peek().path !== before) scrollTo(0, 0);
}

/** Changes the query of the open page; null removes. Typing in a filter is no step to go back over. */
export function setQuery(changes: Record<string, string | null>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  navigate(location.pathname + (text === '' ? '' : `?${text}`), { replace: true });
}

/** `/missions/:mission_id` against a path; undefined when it is another page. */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.replace(/(.)\/$/, '$1').split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    if (part.startsWith(':')) params[part.slice(1)] = decoded(given[i]!);
    else if (part !== given[i]) return undefined;
  }
  return params;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Paths that the server answers itself. */
const notOurs = /^\/(mission-control|docs|health|assets|openapi\.json)(\/|$)/;

addEventListener('popstate', () => { place.value = here(); });
document.addEventListener('click', (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest?.('a');
  if (!(link instanceof HTMLAnchorElement) || link.target !== '' || link.hasAttribute('download')) return;
  if (link.origin !== location.origin || notOurs.test(link.pathname) || link.getAttribute('href')?.startsWith('#')) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
});
