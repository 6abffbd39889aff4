import { signal, useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';

const open = signal(false);
export const openPalette = (): void => { open.value = true; };
const close = (): void => { open.value = false; };

/** ⌘K and Ctrl-K, wherever one is. The palette's code is loaded when first asked for. */
export function PaletteHost() {
  const loaded = useSignal<{ Palette: FunctionComponent<{ close: () => void }> } | null>(null);
  useEffect(() => {
    function hear(event: KeyboardEvent): void {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      open.value = !open.peek();
    }
    addEventListener('keydown', hear);
    return () => removeEventListener('keydown', hear);
  }, []);
  const isOpen = open.value;
  useEffect(() => {
    if (isOpen && loaded.peek() === null) void import('../palette/palette.tsx').then(({ Palette }) => { loaded.value = { Palette }; });
  }, [isOpen]);
  if (!isOpen || loaded.value === null) return null;
  const { Palette } = loaded.value;
  return <Palette close={close} />;
}

/** What looks like a search field, and opens the palette. */
export const PaletteButton = () => (
  <button type="button" class="search" onClick={openPalette}>Search or do anything <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K'}</kbd></button>
);
