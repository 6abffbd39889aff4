/** `approvals`: what waits for somebody's yes, and what was decided. */
import { Command } from 'commander';
import { approvalStatuses, type Approval } from '../../../domain/approval.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { choice, count, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { short, table, tone } from '../terminal.ts';
import { ageOf, span } from '../words.ts';

interface ListFlags extends OutputOptions { status?: string; mission?: string; limit?: number }

export const approvalsCommand = (): Command => new Command('approvals')
  .description('approvals that wait, and those that were decided')
  .addCommand(withJson(new Command('list')
    .description('approvals, newest first')
    .addOption(choice('--status <status>', 'only these', approvalStatuses))
    .option('--mission <id>', 'only of this mission', id)
    .option('--limit <n>', 'how many, at most 200', count))
    .action(async ({ status, mission, limit, ...output }: ListFlags) => {
      const query = queryOf({ status, mission_id: mission, limit });
      show(output, await connect().send<{ items: Approval[] }>('GET', apiPath('approvals') + query), approvalTable);
    }), { isDefault: true });

function approvalTable({ items }: { items: Approval[] }): string {
  if (items.length === 0) return 'no approvals';
  const rows = items.map((approval) => [
    safe(approval.approval_id), tone(approval.status), `${yesCount(approval)} of ${approval.required}`,
    safe((approval.digests.git_tree ?? approval.digests.plan_digest ?? '').slice(0, 12)), ageOf(approval.requested_at), timeLeft(approval), short(approval.rules.join('; ')),
  ]);
  const waiting = items.find(({ status }) => status === 'waiting');
  return [
    table(['approval', 'status', 'agreed', 'tree or plan', 'age', 'time left', 'asked because'], rows),
    ...(waiting === undefined ? [] : ['', `see one whole, and decide it: missionctl approve ${safe(waiting.approval_id)} --reason …`]),
  ].join('\n');
}

const yesCount = ({ decisions }: Approval): number => decisions.filter(({ decision }) => decision === 'approve').length;

const timeLeft = ({ status, deadline }: Approval): string => (status === 'waiting' ? span(Date.parse(deadline) - Date.now()) : '');
