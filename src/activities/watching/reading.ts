/** What a probe found, in the words of all probes. */
import type { ProbeReading } from '../../domain/subsystem-health.ts';

/** A reading without the time it took, which the runner adds. */
export type Found = Omit<ProbeReading, 'measured_at' | 'duration_ms'>;

export const well = (value: number | null = null): Found => ({ state: 'healthy', reason: null, symptom: null, value });
export const degraded = (reason: string, value: number | null = null): Found => ({ state: 'degraded', reason, symptom: null, value });
export const failing = (reason: string, symptom: string | null = null, value: number | null = null): Found => ({ state: 'unhealthy', reason, symptom, value });
/** It could not be measured: neither well nor failing. */
export const unknown = (reason: string): Found => ({ state: 'unknown', reason, symptom: null, value: null });

/** First line of what went wrong, short. */
export const reasonOf = (error: unknown): string => ((error as Error).message ?? String(error)).split('\n')[0]!.slice(0, 300);
