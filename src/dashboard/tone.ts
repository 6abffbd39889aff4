/** Colour is for state, and stands beside a word that says the same. */
export type Tone = 'good' | 'warn' | 'bad' | 'wait' | 'run' | 'unknown';
