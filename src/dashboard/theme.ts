/** Dark or light: the system's, until somebody chose otherwise in this browser. */
import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'dark' | 'light';
export const themes: readonly Theme[] = ['system', 'dark', 'light'];

const remembered = 'mission-control.theme';
const isTheme = (text: string | null): text is Theme => themes.some((theme) => theme === text);

const stored = localStorage.getItem(remembered);
export const theme = signal<Theme>(isTheme(stored) ? stored : 'system');

const systemIsLight = matchMedia('(prefers-color-scheme: light)');
const light = signal(systemIsLight.matches);
systemIsLight.addEventListener('change', () => { light.value = systemIsLight.matches; });

effect(() => {
  document.documentElement.dataset['theme'] = theme.value === 'system' ? (light.value ? 'light' : 'dark') : theme.value;
  localStorage.setItem(remembered, theme.value);
});

export const nextTheme = (): Theme => themes[(themes.indexOf(theme.peek()) + 1) % themes.length]!;
