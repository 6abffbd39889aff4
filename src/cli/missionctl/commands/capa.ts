/** `capa`: corrective and preventive action records. */
import { Command } from 'commander';
import { capaStates } from '../../../domain/capa.ts';
import type { CapaTrends } from '../../../domain/capa-trends.ts';
import type { CapaDetail, CapaView } from '../../../domain/capa-view.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { choice, count, filled, id } from '../arguments.ts';
import { capaLine, capaPage, capaTable, trendsPage } from '../capa-words.ts';
import { connect } from '../connection.ts';
import { capaEdit } from './capa-edit.ts';
import { capaMission } from './capa-mission.ts';
import { capaMove } from './capa-move.ts';

export const capaCommand = (): Command => new Command('capa')
  .description('corrective and preventive action records')
  .addCommand(open())
  .addCommand(list())
  .addCommand(withJson(new Command('show')
    .description('one record: what is known, what is planned, what is late, who decided what')
    .argument('<capa>', 'record id', id))
    .action(async (record: string, output: OutputOptions) =>
      show(output, await connect().send<CapaDetail>('GET', apiPath('capa', record)), capaPage)))
  .addCommand(capaEdit())
  .addCommand(capaMove())
  .addCommand(capaMission())
  .addCommand(trends());

const open = (): Command => withJson(new Command('open')
  .description('open a record by hand; the same problem again counts on the record that is open')
  .requiredOption('--subsystem <id>', 'what part of the world this is about', filled)
  .requiredOption('--problem <text>', 'what, where, since when, how much', filled)
  .option('--mission <id>', 'the mission that it is about', id))
  .action(async ({ subsystem, problem, mission, ...output }: OutputOptions & { subsystem: string; problem: string; mission?: string }) => {
    const body = { subsystem_id: subsystem, problem_statement: problem, ...(mission === undefined ? {} : { mission_id: mission }) };
    show(output, await connect().send<CapaDetail>('POST', apiPath('capa'), body), capaLine);
  });

interface ListFlags extends OutputOptions { state?: string; subsystem?: string; overdue?: true; limit?: number; cursor?: string }

const list = (): Command => withJson(new Command('list')
  .description('records, newest first')
  .addOption(choice('--state <state>', 'only these', capaStates))
  .option('--subsystem <id>', 'only of this subsystem', filled)
  .option('--overdue', 'only those that somebody is late with')
  .option('--limit <n>', 'how many, at most 200', count)
  .option('--cursor <cursor>', 'the page that an earlier one named', filled))
  .action(async ({ state, subsystem, overdue, limit, cursor, ...output }: ListFlags) => {
    const query = queryOf({ state, subsystem_id: subsystem, overdue: overdue && 'yes', limit, cursor });
    show(output, await connect().send<{ items: CapaView[]; next_cursor: string | null }>('GET', apiPath('capa') + query), capaTable);
  });

const trends = (): Command => withJson(new Command('trends')
  .description('what comes back, what lies around, which plans did not work, where problems come from; of the last 90 days')
  .option('--from <time>', 'opened since, RFC 3339', filled)
  .option('--until <time>', 'opened until, RFC 3339', filled)
  .option('--subsystem <id>', 'only of this subsystem', filled))
  .action(async ({ from, until, subsystem, ...output }: OutputOptions & { from?: string; until?: string; subsystem?: string }) =>
    show(output, await connect().send<CapaTrends & { from: string; until: string }>('GET', apiPath('capa', 'trends') + queryOf({ from, until, subsystem_id: subsystem })), trendsPage));
