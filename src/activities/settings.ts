/**
 * A repository's commands and protected paths: registered ones, then `.mission-control.yaml` at the base commit, then
 * what the base commit's own files say. Never read from the patch: a patch must not choose its own judge.
 */
import { parse as parseYaml } from 'yaml';
import type { RepositorySettings } from '../domain/commands.ts';
import type { AskedLimits } from '../domain/limits.ts';
import { repositorySettingsSchema } from '../domain/schema/repository.ts';
import { failure } from '../engine/failure.ts';
import type { Git } from '../git/git.ts';
import { detectCommands } from './detect/commands.ts';
import { fileAt, filesAt } from './detect/files.ts';

export const settingsFile = '.mission-control.yaml';

/** @throws SETTINGS_INVALID naming the field */
export async function readSettings(
  git: Git, gitDir: string, commit: string, registered: RepositorySettings,
): Promise<RepositorySettings> {
  const written = await fileAt(git, gitDir, commit, settingsFile);
  const inRepository = written === undefined ? undefined : parseSettings(written);
  const commands = { ...inRepository?.commands, ...registered.commands };
  const detected = commands.test === undefined || commands.setup === undefined
    ? await detectCommands(await filesAt(git, gitDir, commit)) : {};
  return {
    commands: withLimits({ ...detected, ...definedOnly(commands) }, { ...inRepository?.limits, ...registered.limits }),
    stress_thresholds: [...registered.stress_thresholds, ...(inRepository?.stress_thresholds ?? [])],
    protected_paths: [...new Set([...registered.protected_paths, ...(inRepository?.protected_paths ?? []), settingsFile])],
  };
}

/** What a command does not limit itself is limited as the repository says. */
function withLimits(commands: RepositorySettings['commands'], limits: AskedLimits): RepositorySettings['commands'] {
  if (Object.keys(limits).length === 0) return commands;
  return Object.fromEntries(Object.entries(commands).map(([name, command]) =>
    [name, command && { ...command, limits: { ...limits, ...command.limits } }]));
}

const definedOnly = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;

function parseSettings(text: string): RepositorySettings {
  let value: unknown;
  try {
    value = parseYaml(text, { maxAliasCount: 0, logLevel: 'error' });
  } catch (error) {
    throw failure('SETTINGS_INVALID', `${settingsFile}: ${(error as Error).message.slice(0, 500)}`);
  }
  const parsed = repositorySettingsSchema.safeParse(value ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw failure('SETTINGS_INVALID', `${settingsFile}: ${issue.path.join('.')}: ${issue.message}`);
  }
  return parsed.data;
}
