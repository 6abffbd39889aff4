import type { Approval } from '../domain/approval.ts';
import type { Query } from './database.ts';
import { toJson } from './json.ts';

const columns = 'approval_id, mission_id, status, digests, required, rules, decisions, requested_at, deadline';

/** Writes the approval as the workflow sees it now; a repeat writes the same. */
export async function saveApproval(query: Query, approval: Approval): Promise<void> {
  await query(
    `INSERT INTO approvals (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (approval_id) DO UPDATE SET status = EXCLUDED.status, decisions = EXCLUDED.decisions, digests = EXCLUDED.digests,
       required = EXCLUDED.required, rules = EXCLUDED.rules, requested_at = EXCLUDED.requested_at, deadline = EXCLUDED.deadline`,
    [approval.approval_id, approval.mission_id, approval.status, toJson(approval.digests), approval.required,
      toJson(approval.rules), toJson(approval.decisions), approval.requested_at, approval.deadline]);
}

/** Ends what waits of a mission: its workflow asks for none of it, or asks again. */
export async function withdrawApprovals(query: Query, missionId: string): Promise<void> {
  await query("UPDATE approvals SET status = 'withdrawn' WHERE mission_id = $1 AND status = 'waiting'", [missionId]);
}

export async function findApproval(query: Query, id: string): Promise<Approval | undefined> {
  const [row] = await query<Approval>(`SELECT ${columns} FROM approvals WHERE approval_id = $1`, [id]);
  return row;
}

export interface ApprovalFilter { status?: string | undefined; mission_id?: string | undefined }

export async function listApprovals(query: Query, filter: ApprovalFilter, limit: number): Promise<Approval[]> {
  return query<Approval>(
    `SELECT ${columns} FROM approvals
      WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR mission_id = $2)
      ORDER BY requested_at DESC, approval_id DESC LIMIT $3`, [filter.status ?? null, filter.mission_id ?? null, limit]);
}
