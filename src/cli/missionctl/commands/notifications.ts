/** `notifications`: what people were told, and whether a channel works. */
import { Command } from 'commander';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { choice, count, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { short, table, tone } from '../terminal.ts';
import { ageOf } from '../words.ts';

interface Delivery {
  delivery_id: string; channel: string; kind: string; state: string; attempts: number; last_error: string | null;
  notifications: number; title: string; at: string;
}
interface Deliveries { items: Delivery[]; config_problem: string | null }
interface ListFlags extends OutputOptions { state?: string; channel?: string; limit?: number }

export const notificationsCommand = (): Command => new Command('notifications')
  .description('messages to people: what was sent, and whether a channel works')
  .addCommand(withJson(new Command('list')
    .description('messages, newest first')
    .addOption(choice('--state <state>', 'only these', ['pending', 'delivered', 'failed']))
    .option('--channel <id>', 'only on this channel', id)
    .option('--limit <n>', 'how many, at most 200', count))
    .action(async ({ state, channel, limit, ...output }: ListFlags) =>
      show(output, await connect().send<Deliveries>('GET', apiPath('notifications') + queryOf({ state, channel, limit })), deliveryTable)))
  .addCommand(withJson(new Command('test')
    .description('send a test message the way every other one goes')
    .argument('<channel>', 'channel of config/notifications.yaml', id))
    .action(async (channel: string, output: OutputOptions) =>
      show(output, await connect().send<{ delivery_id: string; channel: string }>('POST', apiPath('notifications', 'test'), { channel }), (sent) =>
        `${safe(sent.delivery_id)} is on its way to ${safe(sent.channel)}; see how it went: missionctl notifications list --channel ${safe(sent.channel)}`)));

const deliveryTable = ({ items, config_problem: problem }: Deliveries): string => [
  ...(problem === null ? [] : [`nothing is sent until this is mended: ${safe(problem)}`, '']),
  items.length === 0 ? 'no messages' : table(
    ['message', 'channel', 'kind', 'state', 'tries', 'age', 'title', 'last error'],
    items.map((delivery) => [
      safe(delivery.delivery_id), safe(delivery.channel), safe(delivery.kind), tone(delivery.state), String(delivery.attempts), ageOf(delivery.at),
      `${short(delivery.title)}${delivery.notifications > 1 ? ` and ${delivery.notifications - 1} more` : ''}`, short(delivery.last_error ?? '', 80),
    ])),
].join('\n');
