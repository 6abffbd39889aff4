import { sha256 } from '../ledger/canonical.ts';

/**
 * Names a message by its channel and by what it began with: known before it is stored, and the same whoever computes it.
 * @param first idempotency key of its first event, or the ids of what a digest sums up
 */
export const deliveryIdOf = (channel: string, first: string): string => `ntf_${sha256(`${channel}\n${first}`).slice(0, 24)}`;
