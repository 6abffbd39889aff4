/** `mission create`: a mission package from flags, or from a file as it is. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { severities } from '../../../domain/mission.ts';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { all, choice, filled, number, readJson, readText, target, type Target } from '../arguments.ts';
import { connect } from '../connection.ts';
import { usageError } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { nextStep } from '../words.ts';

interface PackageFlags {
  title?: string; description?: string; subsystem?: string; severity?: string; symptom?: string[];
  repo?: string; branch?: string; workingBranch?: string; diff?: string[]; mustPass?: string[]; target?: Target[];
  windowMinutes?: number; unobserved?: string; approval: boolean; assignedTo?: string; detectedBy?: string;
  label?: string[]; dependsOn?: string[]; parent?: string;
}
interface CreateFlags extends PackageFlags, OutputOptions { file?: string; template?: string; execute?: true; idempotencyKey?: string }

/** Flags that say nothing about the package itself, and so go with `--file`. */
const besideFile = ['file', 'template', 'execute', 'idempotencyKey', 'json'];

export const missionCreate = (): Command => withJson(new Command('create')
  .description('hand in a mission, from flags or from a file with the JSON package')
  .option('--file <file>', 'the whole package as JSON; - reads standard input')
  .option('--template <id>', 'a template that says what flags or file leave out; they go before it', filled)
  .option('--repo <name|path>', 'registered name, or a path (with a /) that may be used', filled)
  .option('--diff <file>', 'a patch candidate; again for the next one to try; - reads standard input', all(filled))
  .option('--must-pass <test>', 'a test that must be seen to pass; again for more', all(filled))
  .option('--subsystem <id>', 'what part of the world this is about', filled)
  .addOption(choice('--severity <severity>', 'how urgent it is', severities))
  .option('--title <text>', 'one line; otherwise the first symptom', filled)
  .option('--description <text>', 'more than one line', filled)
  .option('--symptom <text>', 'what was seen; again for more', all(filled))
  .option('--target <METRIC<VALUE>', "a metric target of the observation window, quoted: 'shop.errors<1'; again for more", all(target))
  .option('--window-minutes <n>', 'length of the observation window, fractions allowed', number)
  .option('--unobserved <reason>', 'measure nothing after landing, and say why', filled)
  .option('--branch <name>', 'target branch; otherwise the default branch of the repository', filled)
  .option('--working-branch <name>', 'name of the branch that the work is done on', filled)
  .option('--no-approval', 'ask for an approval only if policy does')
  .option('--assigned-to <agent>', 'an agent of config/agents.yaml', filled)
  .option('--detected-by <name>', 'who or what noticed', filled)
  .option('--label <text>', 'again for more', all(filled))
  .option('--depends-on <mission>', 'a mission that must be resolved first; again for more', all(filled))
  .option('--parent <mission>', 'the mission that this one continues', filled)
  .option('--execute', 'also start it')
  .option('--idempotency-key <key>', 'the same key again is the same mission', filled))
  .action(async (flags: CreateFlags, command: Command) => {
    const body: Record<string, unknown> = {
      ...flags.file === undefined ? fromFlags(flags, flags.template !== undefined) : fromFile(flags.file, command),
      ...(flags.template === undefined ? {} : { template_id: flags.template }), ...(flags.execute ? { execute: true } : {}),
    };
    const headers: Record<string, string> = flags.idempotencyKey === undefined ? {} : { 'idempotency-key': flags.idempotencyKey };
    const answer = await connect().send<MissionDetail>('POST', apiPath('missions'), body, headers);
    show(flags, answer, (mission) => `${mission.mission_id}  ${safe(mission.title)}\n${nextStep(mission, body['execute'] === true)}`);
  });

function fromFile(file: string, command: Command): Record<string, unknown> {
  const doubled = command.options.find((option) =>
    !besideFile.includes(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli');
  if (doubled !== undefined) throw usageError(`${doubled.long} and --file: what the mission is stands in one of them`);
  return readJson(file);
}

/** @throws Ending usage, naming the flag that is missing, unless a template may say it */
function fromFlags(flags: PackageFlags, hasTemplate: boolean): Record<string, unknown> {
  if (!hasTemplate) requireFlags(flags);
  return defined({
    title: flags.title, description: flags.description, subsystem_id: flags.subsystem, severity: flags.severity,
    detected_by: flags.detectedBy, assigned_to: flags.assignedTo, labels: flags.label, parent_mission_id: flags.parent,
    symptoms: flags.symptom?.map((description) => ({ description })),
    acceptance_criteria: unlessEmpty({
      must_pass_tests: flags.mustPass, metric_targets: flags.target, observation_window_minutes: flags.windowMinutes,
      observation_window: flags.unobserved === undefined ? undefined : { metrics: 'none', reason: flags.unobserved },
    }),
    trust_requirements: flags.approval ? undefined : { requires_governance_approval: false },
    workspace: unlessEmpty({
      ...repositoryOf(flags.repo), target_branch: flags.branch, working_branch: flags.workingBranch, dependencies: flags.dependsOn,
      patch_candidates: flags.diff?.map((file) => ({ kind: 'diff', text: readText(file) })),
    }),
  });
}

function requireFlags(flags: PackageFlags): void {
  if (flags.subsystem === undefined) throw usageError('--subsystem is missing (or name a --file or a --template)');
  if (flags.severity === undefined) throw usageError(`--severity is missing: ${severities.join(', ')}`);
  if (flags.repo === undefined) throw usageError('--repo is missing: a registered name, or a path');
  if (flags.title === undefined && flags.symptom === undefined) throw usageError('--title or --symptom is missing: say what is wrong');
}

function repositoryOf(repo: string | undefined): Record<string, string> {
  if (repo === undefined) return {};
  return repo.includes('/') ? { repo_path: resolve(repo) } : { repository: repo };
}

const defined = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** A part that nobody said anything of is left to the template. */
function unlessEmpty(values: Record<string, unknown>): Record<string, unknown> | undefined {
  const said = defined(values);
  return Object.keys(said).length === 0 ? undefined : said;
}
