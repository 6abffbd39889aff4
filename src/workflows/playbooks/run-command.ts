/**
 * A command of the team's own as a playbook: run it, and prove by three other commands that it helped. For what needs no code
 * of its own; a ladder, a guard or a refusal does (docs/add-a-playbook.md).
 */
import { z } from 'zod';
import type { Check } from '../../domain/healing.ts';
import { decline, definePlaybook, step, undo, type PlaybookContext } from './playbook.ts';

const argv = z.array(z.string().min(1)).min(1);

const params = z.strictObject({
  cwd: z.string().startsWith('/', 'an absolute path'),
  argv,
  /** Exit code 0 when the symptom is gone. */
  check_argv: argv,
  /** Exit code 0 when the resource works, measured another way. */
  independent_argv: argv,
  /** Exit code 0 when nothing else has become worse. */
  regress_argv: argv,
  /** Takes it back when it did not help. */
  undo_argv: argv.optional(),
  /** Whether running it twice does no harm: after a worker's death it is run again, or given up. */
  repeatable: z.boolean().default(false),
  timeout_seconds: z.number().positive().max(3_600).default(60),
});
type Params = z.output<typeof params>;

async function check({ probe, params: { cwd, timeout_seconds } }: PlaybookContext<Params>, command: string[]): Promise<Check> {
  const measured = await probe('command.check', { argv: command, cwd, timeout_seconds });
  const found = measured.timed_out ? 'ran into its time limit' : `ended with exit code ${measured.exit_code}`;
  return { ok: measured.exit_code === 0 && !measured.timed_out, found: `${command.join(' ')} ${found}`, measured };
}

export const runCommand = definePlaybook({
  id: 'run_command',
  version: 1,
  title: 'Run a command of the team',
  match: { symptoms: ['needs_command'], resources: ['sqlite', 'postgres', 'service', 'packages'] },
  risk: 'medium',
  params,
  async plan(context) {
    const symptom = await check(context, context.params.check_argv);
    return symptom.ok ? decline('healthy', 'SYMPTOM_GONE', symptom.found) : { symptom: symptom.found };
  },
  steps: ({ params: { argv: command, undo_argv, cwd, repeatable, timeout_seconds } }) => [step({
    id: 'run', action: 'command.run', with: { argv: command, cwd, repeatable, timeout_seconds }, effect: `runs ${command.join(' ')} in ${cwd}`,
    reversibility: undo_argv === undefined ? 'irreversible' : 'compensable', timeout_seconds,
    ...(undo_argv === undefined ? {} : { compensate: undo('command.run', { argv: undo_argv, cwd, repeatable: true, timeout_seconds }) }),
  })],
  verify: {
    symptom: (context) => check(context, context.params.check_argv),
    independent: (context) => check(context, context.params.independent_argv),
    must_not_regress: (context) => check(context, context.params.regress_argv),
  },
  escalate: { severity: 'high', next: null, advice: 'The command did not help: see its output in the evidence of the mission.' },
});
