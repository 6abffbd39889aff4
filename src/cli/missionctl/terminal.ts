/** What goes to the terminal: tables and colour. Colour only where a person looks, and not against NO_COLOR. */
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { safe } from './safe-text.ts';

type Style = Parameters<typeof styleText>[0];

/** https://no-color.org: set and not empty means no colour. */
export const hasColour = (stream: NodeJS.WriteStream = process.stdout): boolean =>
  stream.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';

/** @param text safe already, or ours */
export const styled = (style: Style, text: string): string => (hasColour() ? styleText(style, text) : text);

const toneOf: Record<string, Style> = {
  passed: 'green', resolved: 'green', healthy: 'green', approved: 'green', ok: 'green',
  failed: 'red', escalated: 'red', unhealthy: 'red', rejected: 'red', fail: 'red', critical: 'red',
  waiting: 'yellow', running: 'cyan', in_progress: 'cyan', observing: 'cyan', aborted: 'yellow', degraded: 'yellow', unknown: 'yellow', warn: 'yellow',
  breached: 'red', stale: 'yellow', no_data: 'yellow',
  pending: 'gray', skipped: 'gray', superseded: 'gray', expired: 'yellow',
};

/** A status word in its colour. */
export const tone = (word: string): string => {
  const style = toneOf[word];
  return style === undefined ? safe(word) : styled(style, word);
};

const noBorders = Object.fromEntries([
  'top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid',
  'mid', 'mid-mid', 'right', 'right-mid',
].map((name) => [name, '']));

/** Lines of a table. Cells are safe already (`safe`, `tone`) or ours. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const drawn = new Table({
    head: head.map((name) => styled('bold', name)), chars: { ...noBorders, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  drawn.push(...rows.map((row) => [...row]));
  return drawn.toString().split('\n').map((line) => line.trimEnd()).join('\n');
}

/** Names and values, one pair a line. */
export const pairs = (entries: readonly (readonly [string, string | null])[]): string => {
  const there = entries.filter(([, value]) => value !== null && value !== '');
  const width = Math.max(...there.map(([name]) => name.length));
  return there.map(([name, value]) => `${styled('bold', name.padEnd(width))}  ${value}`).join('\n');
};

/** A cell that stays a cell. */
export const short = (text: string, max = 60): string => {
  const clean = safe(text);
  return clean.length <= max ? clean : `${clean.slice(0, max - 1)}…`;
};
