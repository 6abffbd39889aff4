import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changePercent, isFlapping, remember } from '../../src/domain/flapping.ts';
import { isStorm } from '../../src/domain/storm.ts';

const from = (text: string): string => text.split('').reduce((all, letter) => remember(all, letter === 'b' ? 'bad' : 'good'), '');

test.each([
  ['', 0], ['b', 0], ['bbbb', 0], ['g'.repeat(40), 0],
  // All twenty changes, weighted 0.8 to 1.2, are 100 %.
  ['bg'.repeat(11), 100],
  // One change, the newest and the oldest.
  [`${'g'.repeat(20)}b`, 6], [`b${'g'.repeat(20)}`, 4],
])('%s: %d %%', (text, percent) => expect(changePercent(from(text))).toBeCloseTo(percent, 6));

test('more than 21 evaluations are forgotten', () => {
  expect(from('bg'.repeat(30) + 'g'.repeat(21))).toBe('g'.repeat(21));
  expect(isFlapping(from('bg'.repeat(30) + 'g'.repeat(21)), true)).toBe(false);
});

test('it starts at 30 % and goes on until it is below 15 %', () => {
  // Five recent changes are under 30 %, six are over it.
  const five = from(`${'g'.repeat(16)}bgbgb`);
  const six = from(`${'g'.repeat(15)}bgbgbg`);
  expect(changePercent(five)).toBeLessThan(30);
  expect(changePercent(six)).toBeGreaterThanOrEqual(30);
  expect(isFlapping(five, false)).toBe(false);
  expect(isFlapping(six, false)).toBe(true);
  expect(isFlapping(five, true)).toBe(true);
  expect(isFlapping(from(`${'g'.repeat(18)}bgb`), true)).toBe(true);
  expect(isFlapping(from(`${'g'.repeat(19)}bg`), true)).toBe(false);
});

test('a share, never more than the whole; a newer change weighs more', () => fc.assert(fc.property(
  fc.array(fc.constantFrom('b', 'g'), { maxLength: 60 }).map((list) => list.join('')), (text) => {
    const percent = changePercent(from(text));
    expect(percent).toBeGreaterThanOrEqual(0);
    expect(percent).toBeLessThanOrEqual(100 + 1e-9);
    const quiet = from(text + (text.at(-1) ?? 'g'));
    expect(changePercent(quiet)).toBeLessThanOrEqual(percent + 1e-9);
  })));

test.each([[5, 0, false], [6, 0, true], [5, 10, false], [6, 20, false], [7, 20, true], [30, 100, false], [31, 100, true]])(
  '%d of %d targets: %s', (begun, targets, storm) => expect(isStorm(begun, targets)).toBe(storm));
