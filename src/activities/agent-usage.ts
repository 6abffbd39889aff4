/** The usage report of an agent: a claim, read from a file that the agent may have made anything of. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { unreported, usageText, type Usage } from '../domain/budget.ts';
import { usageReportSchema } from '../domain/schema/usage.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { evidence, type Artifacts } from '../store/artifacts.ts';

const maxBytes = 4_096;

export interface UsageClaim {
  usage: Usage;
  /** Why nothing is known of it, where nothing is. */
  problem: string | null;
}

/** @returns unreported, with the reason, for whatever is no report; never throws for what the agent did */
export async function readUsage(file: string): Promise<UsageClaim> {
  const unknown = (problem: string): UsageClaim => ({ usage: unreported, problem });
  try {
    // Not through a link to somebody else's file, and not waiting for the other end of a pipe.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) return unknown('MISSION_USAGE is not a file any more');
      const buffer = Buffer.alloc(maxBytes + 1);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      if (bytesRead === 0) return unknown('nothing was written to MISSION_USAGE');
      if (bytesRead > maxBytes) return unknown(`MISSION_USAGE has more than ${maxBytes} bytes`);
      const parsed = usageReportSchema.safeParse(JSON.parse(buffer.subarray(0, bytesRead).toString('utf8')));
      if (!parsed.success) return unknown(`MISSION_USAGE is not usable: ${parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ').slice(0, 300)}`);
      const { tokens = null, cost_micro_usd = null } = parsed.data;
      return { usage: { tokens, cost_micro_usd }, problem: tokens === null && cost_micro_usd === null ? 'MISSION_USAGE names no figure' : null };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return unknown(error instanceof SyntaxError ? 'MISSION_USAGE is not JSON' : `MISSION_USAGE cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
}

/** The claim as evidence of what was claimed, not of what was used. */
export async function usageEvidence(artifacts: Artifacts, agent: string, attempt: number, claim: UsageClaim): Promise<EvidenceRef> {
  const record = await artifacts.putJson({ agent, attempt, claimed_by: agent, ...claim });
  return evidence('usage', record, `${usageText(claim.usage)}${claim.problem === null ? `, as ${agent} says` : ` (${claim.problem})`}`);
}
