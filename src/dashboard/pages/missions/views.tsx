import { signal, useSignal } from '@preact/signals';
import { fieldOf } from '../../parts/form.ts';
import { navigate, place } from '../../route.ts';

interface View { name: string; query: string }

const key = 'mission-control.views';
const most = 20;

const builtIn: readonly View[] = [{ name: 'All', query: '' }, { name: 'In progress', query: 'status=in_progress' }, { name: 'Escalated', query: 'status=escalated' }];

function stored(): View[] {
  try {
    const views = JSON.parse(localStorage.getItem(key) ?? '[]') as unknown;
    return Array.isArray(views) ? (views as Partial<View>[]).filter((view): view is View => typeof view?.name === 'string' && typeof view.query === 'string') : [];
  } catch {
    return [];
  }
}

const saved = signal<readonly View[]>(stored());

function save(views: readonly View[]): void {
  saved.value = views.slice(-most);
  localStorage.setItem(key, JSON.stringify(saved.value));
}

/** Filters under a name, kept in this browser. */
export function Views() {
  const naming = useSignal(false);
  const query = new URLSearchParams(place.value.query);
  query.delete('new');
  const here = query.toString();
  const known = [...builtIn, ...saved.value];
  function keep(event: SubmitEvent): void {
    event.preventDefault();
    const name = fieldOf(event.target, 'name');
    if (name !== '') save([...saved.value.filter((view) => view.name !== name), { name, query: here }]);
    naming.value = false;
  }
  return (
    <div class="bar views" role="group" aria-label="Views">
      {known.map((view) => (
        <span key={view.name} class={`view ${view.query === here ? 'on' : ''}`}>
          <button type="button" class="plain" aria-pressed={view.query === here} onClick={() => navigate(`/missions${view.query === '' ? '' : `?${view.query}`}`, { replace: true })}>{view.name}</button>
          {!builtIn.includes(view) && <button type="button" class="plain" aria-label={`Forget view ${view.name}`} onClick={() => save(saved.value.filter((one) => one !== view))}>×</button>}
        </span>
      ))}
      {naming.value
        ? <form class="bar" onSubmit={keep}><input name="name" aria-label="Name of the view" maxLength={40} autoFocus required placeholder="Name" /><button type="submit">Save</button></form>
        : !known.some((view) => view.query === here) && <button type="button" class="link" onClick={() => { naming.value = true; }}>Save this view</button>}
    </div>
  );
}
