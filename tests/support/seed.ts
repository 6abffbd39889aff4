/** Chance that can be had again: every run says its seed, and `FAULTS_SEED` repeats it. */

export interface Chance {
  seed: number;
  /** From 0, up to but not including `below`. */
  below(limit: number): number;
  shuffled<T>(items: readonly T[]): T[];
}

/** mulberry32: small, and the same everywhere. */
export function chance(name: string, seed = Number(process.env['FAULTS_SEED'] ?? Date.now() % 1_000_000)): Chance {
  console.log(`${name}: seed ${seed} (again with FAULTS_SEED=${seed})`);
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    seed, below,
    shuffled: (items) => items.map((item) => ({ item, at: next() })).sort((a, b) => a.at - b.at).map(({ item }) => item),
  };
}
