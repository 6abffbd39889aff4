import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { lazily } from './lazily.tsx';

const Palette = lazily(() => import('../palette/palette.tsx').then((part) => part.Palette));

const open = signal(false);
export const openPalette = (): void => { open.value = true; };
const close = (): void => { open.value = false; };

/** ⌘K and Ctrl-K, wherever one is. The palette's code is loaded when first asked for. */
export function PaletteHost() {
  useEffect(() => {
    function hear(event: KeyboardEvent): void {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      open.value = !open.peek();
    }
    addEventListener('keydown', hear);
    return () => removeEventListener('keydown', hear);
  }, []);
  return open.value ? <Palette close={close} /> : null;
}

/** What looks like a search field, and opens the palette. */
export const PaletteButton = () => (
  <button type="button" class="search" onClick={openPalette}>Search or do anything <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘K' : 'Ctrl K'}</kbd></button>
);
