import type { ComponentChildren } from 'preact';
import { place, setQuery } from '../route.ts';

export interface Tab { id: string; label: string; count?: string | number | undefined; show: () => ComponentChildren }

/** Tabs whose choice is in the address (`?tab=`), so that a link opens the same one. Arrow keys move between them. */
export function Tabs({ tabs, label }: { tabs: readonly Tab[]; label: string }) {
  const wanted = place.value.query.get('tab');
  const open = tabs.find((tab) => tab.id === wanted) ?? tabs[0]!;
  function move(event: KeyboardEvent): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const next = tabs[(tabs.indexOf(open) + step + tabs.length) % tabs.length]!;
    setQuery({ tab: next.id });
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
  }
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
        {tabs.map((tab) => (
          <button type="button" key={tab.id} role="tab" data-tab={tab.id} id={`tab-${tab.id}`} aria-selected={tab === open} aria-controls="tab-panel"
            tabIndex={tab === open ? 0 : -1} onClick={() => setQuery({ tab: tab.id })}>
            {tab.label}{tab.count !== undefined && <span class="mono"> {tab.count}</span>}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${open.id}`} key={open.id}>{open.show()}</div>
    </>
  );
}
