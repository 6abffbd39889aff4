/** `repo`: repositories that missions may name. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { all, filled, readJson } from '../arguments.ts';
import { connect } from '../connection.ts';
import { usageError } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { table } from '../terminal.ts';
import { ageOf } from '../words.ts';

interface Repository { repository_id: string; name: string; origin: string; kind: string; default_branch: string; created_by: string; created_at: string }
interface AddFlags extends OutputOptions { name?: string; branch?: string; protect?: string[]; settings?: string }

export const repositoryCommand = (): Command => new Command('repo')
  .description('repositories that missions may name')
  .addCommand(add())
  .addCommand(withJson(new Command('list').description('registered repositories'))
    .action(async (output: OutputOptions) =>
      show(output, await connect().send<{ items: Repository[] }>('GET', apiPath('repositories')), repositoryTable)));

const add = (): Command => withJson(new Command('add')
  .description('register a repository, so that missions can name it')
  .argument('<path|url>', 'a folder on the host of Mission Control, or what git can clone', filled)
  .option('--name <name>', 'otherwise the last part of the path or url', filled)
  .option('--branch <name>', 'default branch', filled)
  .option('--protect <glob>', 'paths whose change needs an approval; again for more', all(filled))
  .option('--settings <file>', 'JSON with commands, stress_thresholds, protected_paths; - reads standard input', filled))
  .action(async (origin: string, { name, branch, protect, settings, ...output }: AddFlags) => {
    const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(origin) || (/^[^/]+@[^/]+:/.test(origin) && !existsSync(origin));
    const read = settings === undefined ? {} : readJson(settings);
    if (protect !== undefined && read['protected_paths'] !== undefined) throw usageError('--protect and protected_paths in --settings: say it in one of them');
    const body = {
      ...read, name: name ?? lastPart(origin), ...(isUrl ? { url: origin } : { path: resolve(origin) }),
      ...(branch === undefined ? {} : { default_branch: branch }), ...(protect === undefined ? {} : { protected_paths: protect }),
    };
    show(output, await connect().send<Repository>('POST', apiPath('repositories'), body), (repository) =>
      `${safe(repository.name)} (${safe(repository.repository_id)}), branch ${safe(repository.default_branch)}: ${safe(repository.origin)}\nhand in a mission: missionctl mission create --repo ${safe(repository.name)} …`);
  });

/** @throws Ending usage when there is none */
function lastPart(origin: string): string {
  const name = (origin.includes('://') ? origin : resolve(origin)).replace(/\/+$/, '').split(/[/:]/).at(-1)!.replace(/\.git$/, '');
  if (name === '') throw usageError('--name is missing');
  return name;
}

const repositoryTable = ({ items }: { items: Repository[] }): string => (items.length === 0
  ? 'no repositories; register one: missionctl repo add PATH'
  : table(['name', 'branch', 'kind', 'age', 'origin'], items.map((repository) => [
    safe(repository.name), safe(repository.default_branch), safe(repository.kind), ageOf(repository.created_at), safe(repository.origin),
  ])));
