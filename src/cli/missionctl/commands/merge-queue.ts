/** `merge-queue`: what lands on which branch, and stopping it. */
import { Command } from 'commander';
import type { ListedQueue } from '../../../store/merge-queues.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { count, filled, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { short, table } from '../terminal.ts';

interface WordFlags extends OutputOptions { branch: string; reason: string }
type Answer = Pick<ListedQueue, 'repository_id' | 'target_branch' | 'frozen'>;

const word = (verb: 'freeze' | 'unfreeze', description: string): Command => withJson(new Command(verb)
  .description(description)
  .argument('<repository>', 'repository id', id)
  .requiredOption('--branch <name>', 'the branch', filled)
  .requiredOption('--reason <text>', 'why', filled))
  .action(async (repository: string, { branch, reason, ...output }: WordFlags) =>
    show(output, await connect().send<Answer>('POST', apiPath('queues', repository, verb), { target_branch: branch, reason }),
      ({ target_branch: target, frozen }) => (frozen === null ? `${safe(target)} is open` : `${safe(target)} is frozen: ${safe(frozen.reason)}`)));

export const mergeQueueCommand = (): Command => new Command('merge-queue')
  .description('merge queues of branches')
  .addCommand(withJson(new Command('list')
    .description('what lands, what waits, what is frozen')
    .option('--limit <n>', 'how many, at most 200', count))
    .action(async ({ limit, ...output }: OutputOptions & { limit?: number }) =>
      show(output, await connect().send<{ items: ListedQueue[] }>('GET', apiPath('queues') + queryOf({ limit })), queueTable)))
  .addCommand(word('freeze', 'let nothing but reverts land on a branch'))
  .addCommand(word('unfreeze', 'let missions land on the branch again'));

const queueTable = ({ items }: { items: ListedQueue[] }): string => (items.length === 0 ? 'nothing has landed yet' : table(
  ['repository', 'branch', 'lands now', 'waiting', 'frozen'],
  items.map((queue) => [
    `${safe(queue.repository)} (${safe(queue.repository_id)})`, safe(queue.target_branch),
    queue.current === null ? '' : `${safe(queue.current.mission_id)}${queue.current.kind === 'revert' ? ' (revert)' : ''}`,
    queue.waiting.map((item) => safe(item.mission_id)).join(' '), queue.frozen === null ? '' : short(queue.frozen.reason),
  ])));
