/** `queue`: what agents elsewhere hold, and what waits for one. */
import { Command } from 'commander';
import type { QueueLine } from '../../../store/agent-queue.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { count } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { short, table, tone } from '../terminal.ts';
import { ageOf, span } from '../words.ts';

interface ListFlags extends OutputOptions { limit?: number }

export const queueCommand = (): Command => new Command('queue')
  .description('missions for agents: what is held by whom, and what waits')
  .addCommand(withJson(new Command('list')
    .description('held ones first, then the queue, the most urgent first')
    .option('--limit <n>', 'how many, at most 200', count))
    .action(async ({ limit, ...output }: ListFlags) =>
      show(output, await connect().send<{ items: QueueLine[] }>('GET', apiPath('queue') + queryOf({ limit })), queueTable)), { isDefault: true });

const queueTable = ({ items }: { items: QueueLine[] }): string => (items.length === 0 ? 'no mission is held, and none waits' : table(
  ['mission', 'severity', 'state', 'for', 'agent', 'lease left', 'title'],
  items.map((line) => [
    safe(line.mission_id), tone(line.severity), line.state.replace('_', ' '), ageOf(line.since), safe(line.agent_id ?? line.assigned_to ?? 'any'),
    line.expires_at === null ? '' : span(Date.parse(line.expires_at) - Date.now()), short(line.title),
  ])));
