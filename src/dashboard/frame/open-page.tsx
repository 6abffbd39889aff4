import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import { pages, type Page, type PageProps } from '../pages/index.ts';
import { Empty } from '../parts/states.tsx';
import { matchPath, place } from '../route.ts';
import { may } from '../session.ts';

const loaded = new Map<Page, FunctionComponent<PageProps>>();

export function pageAt(path: string): { page: Page; params: Record<string, string> } | undefined {
  for (const page of pages) {
    const params = matchPath(page.path, path);
    if (params !== undefined) return { page, params };
  }
  return undefined;
}

/** The page that the address names; its code is loaded when first opened. */
export function OpenPage() {
  const failed = useSignal<Page | null>(null);
  const arrived = useSignal(0);
  const found = pageAt(place.value.path);
  const page = found?.page;
  useEffect(() => {
    document.title = page === undefined ? 'Mission Control' : `${page.title} · Mission Control`;
    if (page === undefined || loaded.has(page)) return;
    page.load().then((component) => {
      loaded.set(page, component);
      arrived.value += 1;
    }, () => { failed.value = page; });
  }, [page]);
  if (page === undefined) return <Empty title="There is no page here">Go to the <a href="/">overview</a>, or press ⌘K or Ctrl-K to find what you look for.</Empty>;
  if (page.needs !== undefined && !may(page.needs)) return <Empty title="Not for this key">{page.title} needs {page.needs}, which this key does not hold.</Empty>;
  const Component = loaded.get(page);
  if (failed.value === page) return <Empty title="This page did not load">Its code could not be fetched. <a href={place.value.path} target="_self">Load it anew</a>.</Empty>;
  // Read so that this renders again when the code has come.
  void arrived.value;
  return Component === undefined ? <p class="loading">Loading …</p> : <Component key={place.value.path} params={found!.params} />;
}
