/** `playbook` and `heal`: what can be healed and how, by hand or as a plan; and a skeleton for a playbook of one's own. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { severities } from '../../../domain/mission.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { projectRoot } from '../../../project.ts';
import type { HealingRunRow } from '../../../store/healing-runs.ts';
import { apiPath, queryOf, say, show, withJson, type OutputOptions } from '../answer.ts';
import { choice, count, filled, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { Ending, exitCodes } from '../exit.ts';
import { listed, namesOf, playbookText, testText } from '../playbook-skeleton.ts';
import { safe } from '../safe-text.ts';
import { short, table, tone } from '../terminal.ts';
import { ageOf } from '../words.ts';

interface PlaybookAnswer {
  playbook_id: string; version: number; title: string; risk: string; symptoms: string[]; resources: string[];
  bindings: { subsystem_id: string; resource_id: string; approval: string; quarantined: string | null }[];
}

export const playbookCommand = (): Command => new Command('playbook')
  .description('what can be healed, and how')
  .addCommand(withJson(new Command('list').description('every playbook and where it is bound'))
    .action(async (output: OutputOptions) =>
      show(output, await connect().send<{ items: PlaybookAnswer[] }>('GET', apiPath('playbooks')), playbookTable)))
  .addCommand(withJson(new Command('plan')
    .description('what it would do now; nothing is changed')
    .argument('<playbook>', 'playbook id', id).argument('<subsystem>', 'as in config/subsystems.yaml', id).argument('<resource>', 'a resource of it', id))
    .action(async (playbook: string, subsystem: string, resource: string, output: OutputOptions) =>
      show(output, await connect().send<MissionDetail>('POST', apiPath('playbooks', playbook, 'plan'), { subsystem, resource }), started)))
  .addCommand(withJson(new Command('runs')
    .description('what it did, newest first')
    .argument('<playbook>', 'playbook id', id).option('--limit <n>', 'how many, at most 200', count))
    .action(async (playbook: string, { limit, ...output }: OutputOptions & { limit?: number }) =>
      show(output, await connect().send<{ items: HealingRunRow[] }>('GET', apiPath('playbooks', playbook, 'runs') + queryOf({ limit })), runTable)))
  .addCommand(withJson(new Command('release')
    .description('lift its quarantine for one resource')
    .argument('<playbook>', 'playbook id', id).argument('<subsystem>', '', id).argument('<resource>', '', id)
    .requiredOption('--reason <text>', 'why it may run again', filled))
    .action(async (playbook: string, subsystem: string, resource: string, { reason, ...output }: OutputOptions & { reason: string }) =>
      show(output, await connect().send<object>('POST', apiPath('playbooks', playbook, 'release'), { subsystem, resource, reason }),
        () => `${safe(playbook)} may work on ${safe(subsystem)}/${safe(resource)} again`)))
  .addCommand(new Command('new')
    .description('write a playbook of your own with its test, working as it is: docs/add-a-playbook.md')
    .argument('<name>', 'lower-case words joined by -, such as stale-cache', playbookName)
    .action(writeSkeleton));

interface HealFlags extends OutputOptions { symptom: string; resource?: string; playbook?: string; severity?: string; dryRun?: true; reason: string }

export const healCommand = (): Command => withJson(new Command('heal')
  .description('start a healing mission')
  .argument('<subsystem>', 'as in config/subsystems.yaml', id)
  .requiredOption('--symptom <class>', 'what is wrong, as playbooks name it: database_locked, memory_leak, …', filled)
  .requiredOption('--reason <text>', 'why you ask for it', filled)
  .option('--resource <resource>', 'only this resource', id)
  .option('--playbook <playbook>', 'only this playbook', id)
  .addOption(choice('--severity <severity>', 'how urgent', severities))
  .option('--dry-run', 'end with the plan'))
  .action(async (subsystem: string, { json, dryRun, ...body }: HealFlags) => {
    const output = json ? { json } : {};
    show(output, await connect().send<MissionDetail>('POST', apiPath('subsystems', subsystem, 'heal'), { ...body, dry_run: dryRun === true }), started);
  });

const started = (mission: MissionDetail): string =>
  `${mission.mission_id}: ${safe(mission.title)}\nfollow it: missionctl mission watch ${mission.mission_id}`;

const playbookTable = ({ items }: { items: PlaybookAnswer[] }): string => table(
  ['playbook', 'version', 'risk', 'for', 'works on', 'bound to', 'title'],
  items.map((playbook) => [
    safe(playbook.playbook_id), String(playbook.version), playbook.risk, playbook.symptoms.map(safe).join(', '), playbook.resources.join(', '),
    playbook.bindings.map((one) => `${safe(one.subsystem_id)}/${safe(one.resource_id)}${one.quarantined === null ? '' : ' (quarantined)'}`).join(', '),
    short(playbook.title),
  ]));

const runTable = ({ items }: { items: HealingRunRow[] }): string => (items.length === 0 ? 'no runs' : table(
  ['mission', 'resource', 'outcome', 'age', 'reason'],
  items.map((run) => [
    run.mission_id, `${safe(run.subsystem_id)}/${safe(run.resource_id)}`, tone(run.outcome), ageOf(run.started_at), short(run.reason ?? ''),
  ])));

function playbookName(text: string): string {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text)) throw new InvalidArgumentError('Write lower-case words joined by -, such as stale-cache.');
  return text;
}

/** Writes into the project itself: a playbook is code that is reviewed and tested like any other. */
async function writeSkeleton(name: string): Promise<void> {
  const names = namesOf(name);
  const playbook = join(projectRoot, 'src', 'workflows', 'playbooks', `${names.file}.ts`);
  const test = join(projectRoot, 'tests', 'playbooks', `${names.file}.test.ts`);
  const index = join(projectRoot, 'src', 'workflows', 'playbooks', 'index.ts');
  const taken = [playbook, test].find((path) => existsSync(path));
  if (taken !== undefined) throw new Ending(exitCodes.refused, `${taken} is there already; nothing was written`);
  await mkdir(dirname(test), { recursive: true });
  writeFileSync(playbook, playbookText(names), { flag: 'wx' });
  writeFileSync(test, testText(names), { flag: 'wx' });
  writeFileSync(index, listed(readFileSync(index, 'utf8'), names));
  say(`wrote ${playbook}\nwrote ${test}\nlisted in ${index}\ntry it: npm test -- tests/playbooks/${names.file}.test.ts`);
}
