/** `capa`: corrective and preventive action records. */
import { Command } from 'commander';
import type { Capa } from '../../../domain/capa.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { count, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe, safeLines } from '../safe-text.ts';
import { pairs, short, table } from '../terminal.ts';
import { ageOf, shortTime } from '../words.ts';

export const capaCommand = (): Command => new Command('capa')
  .description('corrective and preventive action records')
  .addCommand(withJson(new Command('list')
    .description('records, newest first')
    .option('--limit <n>', 'how many, at most 200', count))
    .action(async ({ limit, ...output }: OutputOptions & { limit?: number }) =>
      show(output, await connect().send<{ items: Capa[] }>('GET', apiPath('capa') + queryOf({ limit })), capaTable)))
  .addCommand(withJson(new Command('show')
    .description('one record')
    .argument('<capa>', 'record id', id))
    .action(async (record: string, output: OutputOptions) =>
      show(output, await connect().send<Capa>('GET', apiPath('capa', record)), capaPage)));

const capaTable = ({ items }: { items: Capa[] }): string => (items.length === 0 ? 'no CAPA records' : table(
  ['record', 'state', 'seen', 'source', 'subsystem', 'mission', 'age', 'problem'],
  items.map((capa) => [
    safe(capa.capa_id), capa.state, `${capa.occurrences}×`, safe(capa.source), safe(capa.subsystem_id), safe(capa.mission_id ?? ''),
    ageOf(capa.opened_at), short(capa.problem_statement),
  ])));

const capaPage = (capa: Capa): string => [
  pairs([
    ['record', safe(capa.capa_id)], ['state', capa.state], ['source', safe(capa.source)], ['seen', `${capa.occurrences}×`],
    ['subsystem', safe(capa.subsystem_id)], ['mission', capa.mission_id === null ? null : safe(capa.mission_id)],
    ['opened', `${ageOf(capa.opened_at)} ago (${shortTime(capa.opened_at)}) by ${safe(capa.opened_by)}`],
    ['fingerprint', safe(capa.fingerprint)],
  ]),
  '', ...safeLines(capa.problem_statement),
  ...(capa.evidence.length === 0 ? [] : ['', 'Evidence (sha256):', ...capa.evidence.map((sha256) => `  ${safe(sha256)}`)]),
].join('\n');
