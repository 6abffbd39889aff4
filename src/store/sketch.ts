/**
 * What many samples come to: count, least, greatest, sum, and a DDSketch whose percentiles are within 1 % of the exact
 * ones. Summaries merge in any order, so that a long window is made of short ones.
 */
import { DDSketch } from '@datadog/sketches-js';

const relativeAccuracy = 0.01;
const headerBytes = 12;
const binBytes = 12;

export interface Summary { count: number; min: number; max: number; sum: number; sketch: DDSketch }

export const emptySummary = (): Summary =>
  ({ count: 0, min: Infinity, max: -Infinity, sum: 0, sketch: new DDSketch({ relativeAccuracy }) });

export function addValue(summary: Summary, value: number): void {
  summary.sketch.accept(value);
  addFigures(summary, { count: 1, min: value, max: value, sum: value });
}

/** Samples that share a bin of the sketch, counted by the database. */
export interface CountedBin { times: number; low: number; high: number; sum: number }

export function addBin(summary: Summary, { times, low, high, sum }: CountedBin): void {
  summary.sketch.accept(low, times);
  addFigures(summary, { count: times, min: low, max: high, sum });
}

/** Width of a bin: `ceil(ln(value) / logGamma)` is the library's key of a positive value. */
export const logGamma = Math.log1p((2 * relativeAccuracy) / (1 - relativeAccuracy));

/**
 * Adds another summary. Bin by bin: the library's own merge forgets negative values, and loses bins when the other's
 * greatest key is 0 (2.1.1).
 */
export function merge(into: Summary, other: Summary): void {
  copyBins(into, 'store', binsOf(other, 'store'));
  copyBins(into, 'negativeStore', binsOf(other, 'negativeStore'));
  into.sketch.zeroCount += other.sketch.zeroCount;
  into.sketch.count += other.sketch.count;
  addFigures(into, other);
}

type Side = 'store' | 'negativeStore';
type Bin = readonly [key: number, times: number];

const binsOf = ({ sketch }: Summary, side: Side): Bin[] =>
  sketch[side].bins.flatMap((times, i) => (times > 0 ? [[i + sketch[side].offset, times] as const] : []));

/** The outermost first: a store that grows key by key copies itself each time, 3.5 s for values from 1e-300 to 1e300. */
function copyBins({ sketch }: Summary, side: Side, bins: readonly Bin[]): void {
  const last = bins.at(-1);
  if (last !== undefined) sketch[side].add(...last);
  for (const bin of bins.slice(0, -1)) sketch[side].add(...bin);
}

function addFigures(summary: Summary, { count, min, max, sum }: Omit<Summary, 'sketch'>): void {
  summary.count += count;
  summary.min = Math.min(summary.min, min);
  summary.max = Math.max(summary.max, max);
  summary.sum = finite(summary.sum + sum);
}

/** Nearest rank, as `aggregate` counts it: the smallest value that at least `share` of the values do not exceed. */
export function percentile(summary: Summary, share: number): number | null {
  const { count, min, max, sketch } = summary;
  if (count === 0) return null;
  const rank = Math.min(count, Math.max(1, Math.ceil(share * count))) - 1;
  // Half a rank further: the library rounds down, and q × (n - 1) may fall just short of a whole number.
  const value = sketch.getValueAtQuantile(rank === count - 1 ? 1 : (rank + 0.5) / (count - 1));
  return Math.min(max, Math.max(min, value));
}

export const average = ({ count, sum }: Summary): number | null => (count === 0 ? null : sum / count);

/**
 * The bins that hold something, and nothing else: key and count of each, positive ones after the negative ones. The
 * library's own form keeps every empty bin between and takes seconds to read for values that lie far apart.
 */
export function sketchBytes(summary: Summary): Buffer {
  const [negative, positive] = [binsOf(summary, 'negativeStore'), binsOf(summary, 'store')];
  const bytes = Buffer.alloc(headerBytes + binBytes * (negative.length + positive.length));
  bytes.writeDoubleLE(summary.sketch.zeroCount, 0);
  bytes.writeInt32LE(negative.length, 8);
  [...negative, ...positive].forEach(([key, times], i) => {
    bytes.writeInt32LE(key, headerBytes + i * binBytes);
    bytes.writeDoubleLE(times, headerBytes + i * binBytes + 4);
  });
  return bytes;
}

export interface StoredSummary extends Omit<Summary, 'sketch'> { sketch: Buffer }

/** Adds a stored summary. Its bytes hold the bins alone; the other figures stand beside them. */
export function mergeStored(into: Summary, { sketch: bytes, ...figures }: StoredSummary): void {
  const negative = bytes.readInt32LE(8);
  copyStored(into, 'negativeStore', bytes, 0, negative);
  copyStored(into, 'store', bytes, negative, (bytes.length - headerBytes) / binBytes);
  into.sketch.zeroCount += bytes.readDoubleLE(0);
  into.sketch.count += figures.count;
  addFigures(into, figures);
}

/** Straight from the bytes: a day of a series is 288 of these. */
function copyStored({ sketch }: Summary, side: Side, bytes: Buffer, from: number, until: number): void {
  const store = sketch[side];
  const copy = (i: number): void => store.add(bytes.readInt32LE(headerBytes + i * binBytes), bytes.readDoubleLE(headerBytes + i * binBytes + 4));
  if (until > from) copy(until - 1);
  for (let i = from; i < until - 1; i += 1) copy(i);
}

/** A sum that left the range of a double stays at its edge: JSON has no Infinity. */
export const finite = (value: number): number => Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value));
