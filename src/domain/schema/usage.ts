import { z } from 'zod';

const amount = z.number().int().min(0).max(1_000_000_000_000).optional();

/** What an agent writes to the file named by MISSION_USAGE. Hostile input: it can only add, and not without end. */
export const usageReportSchema = z.strictObject({ tokens: amount, cost_micro_usd: amount });
