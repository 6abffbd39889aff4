/** Times as people read them: relative, from one clock that all of the page shares, with the absolute beside it. */
import { signal } from '@preact/signals';

/** Milliseconds since the epoch, renewed each second while somebody looks. */
export const now = signal(Date.now());

setInterval(() => { if (!document.hidden) now.value = Date.now(); }, 1_000);
document.addEventListener('visibilitychange', () => { now.value = Date.now(); });

const units: readonly [name: string, ms: number][] = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1_000]];

/** `41 min`, `3 h 18 min`, `2 d 4 h`: the two largest units, and one alone below the hour. */
export function duration(ms: number): string {
  const rounded = Math.max(0, ms);
  if (rounded < 1_000) return `${Math.round(rounded)} ms`;
  const at = units.findIndex(([, size]) => rounded >= size);
  const [name, size] = units[at]!;
  const whole = Math.floor(rounded / size);
  const next = units[at + 1];
  const rest = next === undefined || size < 3_600_000 ? 0 : Math.floor((rounded % size) / next[1]);
  return rest === 0 ? `${whole} ${name}` : `${whole} ${name} ${rest} ${next![0]}`;
}

/** How long something took: `0.2 s`, `3m 02s`. */
export function took(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}m ${String(Math.floor((ms % 60_000) / 1_000)).padStart(2, '0')}s`;
  return duration(ms);
}

/** `just now`, `41 min ago`, `in 3 h`. Clocks differ a little: the next two seconds are now, too. */
export function relative(at: string, from: number): string {
  const ms = from - Date.parse(at);
  if (Math.abs(ms) < 2_000) return 'just now';
  return ms > 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });
export const absolute = (at: string): string => `${full.format(new Date(at))} · ${at}`;

const two = (part: number): string => String(part).padStart(2, '0');

/** `04:21:09`, in the reader's zone. */
export function clock(at: string): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
