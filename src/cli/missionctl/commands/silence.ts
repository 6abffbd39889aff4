/** `silence`: findings that nobody is told about and nothing is done about, for a while and with a reason. */
import { Command } from 'commander';
import type { Silence } from '../../../domain/silence.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { count, filled, id, number } from '../arguments.ts';
import { connect } from '../connection.ts';
import { usageError } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { short, table } from '../terminal.ts';
import { shortTime } from '../words.ts';

interface AddFlags extends OutputOptions { subsystem?: string; rule?: string; fingerprint?: string; reason: string; minutes: number }

export const silenceCommand = (): Command => new Command('silence')
  .description('silences of findings')
  .addCommand(withJson(new Command('add')
    .description('silence what matches all that is given')
    .option('--subsystem <id>', 'findings of this subsystem', filled)
    .option('--rule <id>', 'findings of this rule', filled)
    .option('--fingerprint <sha256>', 'this very symptom', filled)
    .requiredOption('--reason <text>', 'why', filled)
    .requiredOption('--minutes <n>', 'for how long; fractions allowed', number))
    .action(async ({ subsystem, rule, fingerprint, reason, minutes, ...output }: AddFlags) => {
      if ([subsystem, rule, fingerprint].every((given) => given === undefined)) throw usageError('name at least one: --subsystem, --rule or --fingerprint');
      const end = new Date(Date.now() + minutes * 60_000);
      if (minutes <= 0 || Number.isNaN(end.getTime())) throw usageError('--minutes must be above 0');
      const matchers = {
        ...(subsystem === undefined ? {} : { subsystem_id: subsystem }), ...(rule === undefined ? {} : { rule_id: rule }), ...(fingerprint === undefined ? {} : { fingerprint }),
      };
      show(output, await connect().send<Silence>('POST', apiPath('silences'), { matchers, reason, until: end.toISOString() }),
        (silence) => `${safe(silence.silence_id)} until ${shortTime(silence.until)}; end it: missionctl silence remove ${safe(silence.silence_id)}`);
    }))
  .addCommand(withJson(new Command('list')
    .description('silences, newest first')
    .option('--limit <n>', 'how many, at most 200', count))
    .action(async ({ limit, ...output }: OutputOptions & { limit?: number }) =>
      show(output, await connect().send<{ items: Silence[] }>('GET', apiPath('silences') + queryOf({ limit })), silenceTable)))
  .addCommand(withJson(new Command('remove')
    .description('end a silence now')
    .argument('<silence>', 'silence id', id))
    .action(async (silence: string, output: OutputOptions) =>
      show(output, await connect().send<Silence>('DELETE', apiPath('silences', silence)), (gone) => `${safe(gone.silence_id)} is over`)));

const silenceTable = ({ items }: { items: Silence[] }): string => (items.length === 0 ? 'no silences' : table(
  ['silence', 'matches', 'state', 'by', 'reason'],
  items.map((silence) => [
    safe(silence.silence_id), Object.entries(silence.matchers).map(([name, value]) => `${name}=${safe(String(value))}`).join(' '),
    stateOf(silence), safe(silence.created_by), short(silence.reason),
  ])));

function stateOf({ removed_at, until }: Silence): string {
  if (removed_at !== null) return `removed ${shortTime(removed_at)}`;
  return Date.parse(until) > Date.now() ? `until ${shortTime(until)}` : `ended ${shortTime(until)}`;
}
