/** What this browser keeps between visits to hold the ledger against: a key of the reader's own, and the last checkpoint that held. */
import { effect, signal } from '@preact/signals';

const keyName = 'mission-control.trusted-vkey';
const checkpointName = 'mission-control.checkpoint';

/** Empty: none was given. */
export const trustedKey = signal(localStorage.getItem(keyName) ?? '');
effect(() => { localStorage.setItem(keyName, trustedKey.value); });

export const seenCheckpoint = (): string | null => localStorage.getItem(checkpointName);
export const rememberCheckpoint = (note: string): void => localStorage.setItem(checkpointName, note);
