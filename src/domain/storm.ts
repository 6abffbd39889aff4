/** A storm: so much begins to fail at once that it has one cause, and healing each part would be thrashing. */

/** Findings that began to fire within this time are counted together. */
export const stormWindowMs = 120_000;

/** For this long after the last of it, nothing is healed by itself. */
export const stormCooldownSeconds = 300;

/**
 * @param begun findings that began to fire within the window
 * @param targets everything that is evaluated
 */
export const isStorm = (begun: number, targets: number): boolean => begun > Math.max(5, 0.3 * targets);
