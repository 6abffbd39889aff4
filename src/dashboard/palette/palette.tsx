import uFuzzy from '@leeoniya/ufuzzy';
import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { MissionLine } from '../../domain/mission-view.ts';
import { get, query } from '../api.ts';
import { pageAt } from '../frame/open-page.tsx';
import { place } from '../route.ts';
import { may } from '../session.ts';
import { missionsNewestFirst } from '../store.ts';
import { missionCommand, missionVerbs, plainCommands, runCommand, type Command } from './commands.ts';
import './palette.css';

const most = 12;
const fuzzy = new uFuzzy({ intraMode: 1, unicode: true, interSplit: "[^\\p{L}\\d']+", intraSplit: '\\p{Ll}\\p{Lu}', intraBound: '\\p{L}\\d|\\d\\p{L}|\\p{Ll}\\p{Lu}', intraChars: "[\\p{L}\\d']", intraContr: "'\\p{L}{1,2}\\b" });

/** The best first; what the server found by words of its own keeps its place at the end. */
function matching(commands: readonly Command[], typed: string): Command[] {
  if (typed.trim() === '') return commands.slice(0, most);
  const [indexes, , order] = fuzzy.search(commands.map((command) => command.words), typed, 1);
  if (indexes === null) return [];
  const best = order === null ? indexes : order.map((at) => indexes[at]!);
  return best.slice(0, most).map((at) => commands[at]!);
}

type Found = MissionLine & { links: { temporal: string | null } };

/** Find anything, or do it: by keyboard alone. */
export function Palette({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const typed = useSignal('');
  const at = useSignal(0);
  const found = useSignal<readonly Found[]>([]);
  const temporalUi = useSignal<string | null>(null);
  const playbooks = useSignal<readonly string[]>([]);

  useEffect(() => {
    dialog.current?.showModal();
    if (may('mission:read')) {
      void get<{ items: Found[] }>('/missions?limit=1').then(({ items }) => { temporalUi.value = items[0]?.links.temporal?.replace(/\/workflows\/.*$/, '/workflows') ?? null; }, () => undefined);
    }
    if (may('healing:read')) void get<{ items: { playbook_id: string }[] }>('/playbooks').then(({ items }) => { playbooks.value = items.map((one) => one.playbook_id); }, () => undefined);
  }, []);

  // What the page does not hold, the server may: asked once they pause.
  useEffect(() => {
    const words = typed.value.trim();
    found.value = [];
    if (!/[\p{L}\p{N}]{2}/u.test(words) || !may('mission:read')) return undefined;
    let gone = false;
    const timer = setTimeout(() => {
      get<{ items: Found[] }>(`/missions${query({ q: words, limit: 8 })}`).then(({ items }) => { if (!gone) found.value = items; }, () => undefined);
    }, 150);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [typed.value]);

  const shown = useComputed(() => {
    const known = missionsNewestFirst.value;
    const openId = pageAt(place.value.path)?.params['mission_id'];
    const local = matching([...missionVerbs(typed.value, known, openId), ...plainCommands(temporalUi.value, playbooks.value), ...known.map(missionCommand)], typed.value);
    const ids = new Set(local.map((command) => command.id));
    return [...local, ...found.value.map(missionCommand).filter((command) => !ids.has(command.id))];
  });
  const commands = shown.value;
  const chosen = Math.min(at.value, commands.length - 1);

  function run(command: Command | undefined): void {
    if (command === undefined) return;
    close();
    void runCommand(command);
  }
  function hear(event: KeyboardEvent): void {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0 && commands.length > 0) {
      event.preventDefault();
      at.value = (chosen + step + commands.length) % commands.length;
      document.getElementById(`command-${at.value}`)?.scrollIntoView({ block: 'nearest' });
    } else if (event.key === 'Enter') {
      event.preventDefault();
      run(commands[chosen]);
    }
  }
  return (
    <dialog ref={dialog} class="palette" aria-label="Search or do anything" onCancel={(event) => { event.preventDefault(); close(); }} onClick={(event) => { if (event.target === dialog.current) close(); }}>
      <input type="text" role="combobox" aria-label="Search or do anything" aria-expanded="true" aria-controls="commands" aria-autocomplete="list" aria-activedescendant={commands.length === 0 ? undefined : `command-${chosen}`}
        autoFocus spellcheck={false} autoComplete="off" placeholder="A page, a mission, or a verb: approve, pause, abort, retry …" value={typed.value}
        onInput={(event) => { typed.value = event.currentTarget.value; at.value = 0; }} onKeyDown={hear} />
      <div id="commands" role="listbox" aria-label="Results">
        {commands.map((command, i) => (
          <div key={command.id} id={`command-${i}`} role="option" aria-selected={i === chosen} onMouseMove={() => { at.value = i; }} onClick={() => run(command)}>
            <span class="clip">{command.words}</span><span class="sub">{command.hint}</span>
          </div>
        ))}
      </div>
      {commands.length === 0 && <p class="sub pad">Nothing fits. Words of a mission's id, title or symptoms, a page, or a verb.</p>}
    </dialog>
  );
}
