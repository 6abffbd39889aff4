/** `findings`: what was detected, and how it has gone since. */
import { Command } from 'commander';
import { findingStates } from '../../../domain/finding.ts';
import type { Finding } from '../../../domain/finding-record.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { choice, count, filled, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { pairs, short, table, tone } from '../terminal.ts';
import { ageOf, shortTime } from '../words.ts';

interface FindingPage extends Finding {
  history: { at: string; type: string; from: string | null; state: string; reason: string }[];
  earlier: { finding_id: string; first_seen_at: string; resolved_at: string | null }[];
}
interface ListFlags extends OutputOptions { state?: string; subsystem?: string; open?: true; limit?: number; cursor?: string }

export const findingsCommand = (): Command => new Command('findings')
  .description('what was detected')
  .addCommand(withJson(new Command('list')
    .description('findings, newest first')
    .addOption(choice('--state <state>', 'only in this state', findingStates))
    .option('--subsystem <id>', 'only of this subsystem', filled)
    .option('--open', 'only those that are not resolved')
    .option('--limit <n>', 'how many, at most 200', count)
    .option('--cursor <cursor>', 'the next page, as the page before names it', filled))
    .action(async ({ state, subsystem, open, limit, cursor, ...output }: ListFlags) =>
      show(output, await connect().send<{ items: Finding[]; next_cursor: string | null }>('GET',
        apiPath('findings') + queryOf({ state, subsystem_id: subsystem, open: open === undefined ? undefined : 'true', limit, cursor })), findingTable)), { isDefault: true })
  .addCommand(withJson(new Command('show')
    .description('one finding with its history')
    .argument('<finding>', 'finding id', id))
    .action(async (finding: string, output: OutputOptions) =>
      show(output, await connect().send<FindingPage>('GET', apiPath('findings', finding)), findingPage)));

const findingTable = ({ items, next_cursor: next }: { items: Finding[]; next_cursor: string | null }): string => (items.length === 0 ? 'no findings' : [
  table(['finding', 'state', 'severity', 'subsystem', 'seen', 'age', 'what'], items.map((finding) => [
    safe(finding.finding_id), tone(finding.state), tone(finding.severity), safe(finding.subsystem_id), `${finding.occurrences}×`, ageOf(finding.first_seen_at), short(finding.title),
  ])),
  ...(next === null ? [] : ['', `more: --cursor ${safe(next)}`]),
].join('\n'));

const findingPage = (finding: FindingPage): string => [
  pairs([
    ['finding', safe(finding.finding_id)], ['what', safe(finding.title)],
    ['state', `${tone(finding.state)} for ${ageOf(finding.state_since)}${finding.state === finding.condition ? '' : `, otherwise ${finding.condition}`}`],
    ['why', safe(finding.reason)], ['severity', tone(finding.severity)], ['subsystem', safe(finding.subsystem_id)],
    ['resource', finding.resource_id === null ? null : safe(finding.resource_id)], ['symptom', finding.symptom === null ? null : safe(finding.symptom)],
    ['explained by', finding.inhibited_by === null ? null : safe(finding.inhibited_by)], ['silence', finding.silence_id === null ? null : safe(finding.silence_id)],
    ['healing', finding.healing_mission_id === null ? null : safe(finding.healing_mission_id)],
    ['seen', `${finding.occurrences}×, first ${ageOf(finding.first_seen_at)} ago (${shortTime(finding.first_seen_at)}), last ${ageOf(finding.last_seen_at)} ago`],
    ['rule', safe(finding.rule_id)], ['fingerprint', safe(finding.fingerprint)],
  ]),
  '',
  table(['when', 'what', 'state', 'why'], finding.history.map((event) => [shortTime(event.at), safe(event.type), tone(event.state), short(event.reason)])),
  ...(finding.earlier.length === 0 ? [] : ['', `Earlier: ${finding.earlier.map((one) => safe(one.finding_id)).join(', ')}`]),
].join('\n');
