/** `mission`: hand in, look at, steer. */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import type { MissionDetail, MissionSummary } from '../../../domain/mission-view.ts';
import { missionStatuses, missionTypes, severities } from '../../../domain/mission.ts';
import { apiPath, queryOf, say, sayJson, show, withJson, type OutputOptions } from '../answer.ts';
import { choice, count, filled, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { missionPage, missionTable } from '../mission-words.ts';
import { usageError } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { nextStep } from '../words.ts';
import { missionCreate } from './mission-create.ts';
import { missionWatch } from './mission-watch.ts';

export const missionCommand = (): Command => new Command('mission')
  .description('hand in missions, look at them, steer them')
  .addCommand(missionCreate())
  .addCommand(execute())
  .addCommand(list())
  .addCommand(showOne())
  .addCommand(missionWatch())
  .addCommand(proof())
  .addCommand(steer('pause', 'hold it before its next stage, or now')
    .option('--now', 'end the running command as well; it runs again after the pause')
    .option('--reason <text>', 'why', filled))
  .addCommand(steer('resume', 'go on after a pause').option('--reason <text>', 'why', filled))
  .addCommand(steer('retry', 'run the parked stage again').option('--reason <text>', 'why', filled))
  .addCommand(observe())
  .addCommand(steer('abort', 'end it; nothing lands that has not landed').requiredOption('--reason <text>', 'why', filled));

const execute = (): Command => withJson(new Command('execute')
  .description('start a mission; one that runs already stays as it is')
  .argument('<mission>', 'mission id', id)
  .addOption(choice('--type <type>', 'refuse unless it is of this type', missionTypes)))
  .action(async (mission: string, { type, ...output }: OutputOptions & { type?: string }) => {
    const body = type === undefined ? undefined : { mission_type: type };
    show(output, await connect().send<MissionDetail>('POST', apiPath('missions', mission, 'execute'), body),
      (started) => `${started.mission_id}  ${safe(started.title)}\n${nextStep(started, true)}`);
  });

interface ListFlags extends OutputOptions {
  status?: string; severity?: string; subsystem?: string; type?: string; assignedTo?: string; label?: string;
  createdAfter?: string; createdBefore?: string; limit?: number; cursor?: string;
}

const list = (): Command => withJson(new Command('list')
  .description('missions, newest first')
  .addOption(choice('--status <status>', 'only these', missionStatuses))
  .addOption(choice('--severity <severity>', 'only these', severities))
  .addOption(choice('--type <type>', 'only these', missionTypes))
  .option('--subsystem <id>', 'only of this subsystem', filled)
  .option('--assigned-to <agent>', 'only of this agent', filled)
  .option('--label <text>', 'only with this label', filled)
  .option('--created-after <time>', 'RFC 3339', filled)
  .option('--created-before <time>', 'RFC 3339', filled)
  .option('--limit <n>', 'how many, at most 200', count)
  .option('--cursor <cursor>', 'the page that an earlier one named', filled))
  .action(async ({ subsystem, type, assignedTo, createdAfter, createdBefore, json, ...same }: ListFlags) => {
    const query = queryOf({
      ...same, subsystem_id: subsystem, mission_type: type, assigned_to: assignedTo, created_after: createdAfter, created_before: createdBefore,
    });
    const answer = await connect().send<{ items: MissionSummary[]; next_cursor: string | null }>('GET', apiPath('missions') + query);
    show(json ? { json } : {}, answer, missionTable);
  });

const showOne = (): Command => withJson(new Command('show')
  .description('one mission: where it is, why it waits, its stages and what they proved')
  .argument('<mission>', 'mission id', id))
  .action(async (mission: string, output: OutputOptions) =>
    show(output, await connect().send<MissionDetail>('GET', apiPath('missions', mission)), missionPage));

const proof = (): Command => new Command('proof')
  .description('everything that proves a mission, as one file for `missionctl verify`')
  .argument('<mission>', 'mission id', id)
  .option('--out <file>', 'write it there instead of to standard output; a file that is there stays as it is', filled)
  .action(async (mission: string, { out }: { out?: string }) => {
    const { text } = await connect().send('GET', apiPath('missions', mission, 'export'));
    if (out === undefined) return sayJson(text);
    try {
      writeFileSync(out, `${text}\n`, { flag: 'wx' });
    } catch (error) {
      throw usageError(`${out} cannot be written: ${(error as Error).message}`);
    }
    say(`${out}\nverify it anywhere: missionctl verify ${out} --key <the log's key, from ledger/log.vkey or GET /mission-control/ledger/checkpoint>`);
  });

const observe = (): Command => withJson(new Command('observe')
  .description('decide about its observation: roll back at any time, watch once more, or resolve what is held')
  .argument('<mission>', 'mission id', id)
  .addOption(choice('--decision <decision>', 'what to do', ['rollback', 'extend', 'resolve']).makeOptionMandatory())
  .requiredOption('--reason <text>', 'why', filled))
  .action(async (mission: string, { decision, reason, ...output }: OutputOptions & { decision: string; reason: string }) => {
    const answer = await connect().send<{ mission_id: string; takes_effect: string }>('POST', apiPath('missions', mission, 'observation'), { decision, reason });
    show(output, answer, ({ mission_id, takes_effect }) => `${mission_id}: ${decision} takes effect ${safe(takes_effect)}`);
  });

/** A verb that the running mission answers. */
const steer = (verb: 'pause' | 'resume' | 'abort' | 'retry', description: string): Command => withJson(new Command(verb)
  .description(description)
  .argument('<mission>', 'mission id', id))
  .action(async (mission: string, { now, reason, ...output }: OutputOptions & { now?: true; reason?: string }) => {
    const body = { ...(now ? { mode: 'now' } : {}), ...(reason === undefined ? {} : { reason }) };
    const answer = await connect().send<{ mission_id: string; takes_effect: string }>('POST', apiPath('missions', mission, verb), body);
    show(output, answer, ({ mission_id, takes_effect }) => `${mission_id}: ${verb} takes effect ${safe(takes_effect)}`);
  });
