import { useSignal } from '@preact/signals';

/** An identifier in mono; a click copies the whole of it. `short`: how many characters are shown. */
export function Copyable({ value, short }: { value: string; short?: number }) {
  const said = useSignal('');
  async function copy(): Promise<void> {
    // Outside https and localhost a browser has no clipboard; then the text is at least whole in the title.
    said.value = await navigator.clipboard?.writeText(value).then(() => 'copied', () => 'not copied') ?? 'not copied';
    setTimeout(() => { said.value = ''; }, 1_500);
  }
  const shown = short === undefined || value.length <= short + 1 ? value : `${value.slice(0, short)}…`;
  return (
    <button type="button" class="copyable mono" title={`${value} · click to copy`} onClick={() => { void copy(); }}>
      {shown}<span role="status">{said.value}</span>
    </button>
  );
}
