/** `template`: parts of mission packages, kept under a name. */
import { Command } from 'commander';
import type { Template } from '../../../domain/template.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { count, filled, id, readJson } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { short, table } from '../terminal.ts';
import { ageOf } from '../words.ts';

interface AddFlags extends OutputOptions { file: string; description?: string }
interface Page { items: Template[]; next_cursor: string | null }

export const templateCommand = (): Command => new Command('template')
  .description('templates of missions; use one: missionctl mission create --template ID')
  .addCommand(withJson(new Command('list')
    .description('templates, newest first')
    .option('--limit <n>', 'how many, at most 200', count)
    .option('--cursor <cursor>', 'the page that an earlier one named', filled))
    .action(async ({ limit, cursor, ...output }: OutputOptions & { limit?: number; cursor?: string }) =>
      show(output, await connect().send<Page>('GET', apiPath('templates') + queryOf({ limit, cursor })), templateTable)))
  .addCommand(withJson(new Command('add')
    .description('keep a part of a mission package')
    .argument('<name>', 'what people call it', filled)
    .requiredOption('--file <file>', 'the part as JSON; - reads standard input')
    .option('--description <text>', 'what it is for', filled))
    .action(async (name: string, { file, description, ...output }: AddFlags) => {
      const body = { name, package: readJson(file), ...(description === undefined ? {} : { description }) };
      show(output, await connect().send<Template>('POST', apiPath('templates'), body), ({ template_id }) =>
        `${safe(template_id)}; use it: missionctl mission create --template ${safe(template_id)}`);
    }))
  .addCommand(withJson(new Command('remove')
    .description('remove a template; missions made of it stay')
    .argument('<template>', 'template id', id))
    .action(async (template: string, output: OutputOptions) =>
      show(output, await connect().send<Template>('DELETE', apiPath('templates', template)), (gone) => `${safe(gone.template_id)} is removed`)));

const templateTable = ({ items, next_cursor }: Page): string => (items.length === 0 ? 'no templates' : [
  table(['template', 'name', 'by', 'age', 'says', 'description'], items.map((one) => [
    safe(one.template_id), short(one.name), safe(one.created_by), ageOf(one.created_at), short(Object.keys(one.package).join(', ')), short(one.description ?? ''),
  ])),
  ...(next_cursor === null ? [] : ['', `more: --cursor ${safe(next_cursor)}`]),
].join('\n'));
