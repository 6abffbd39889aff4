/** `capa edit`: fields of a record, from flags, from a file, or both. */
import { Command, InvalidArgumentError } from 'commander';
import { capaTypes, type CapaRisk } from '../../../domain/capa.ts';
import type { CapaDetail } from '../../../domain/capa-view.ts';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { all, choice, count, filled, id, readJson } from '../arguments.ts';
import { capaLine } from '../capa-words.ts';
import { connect } from '../connection.ts';
import { usageError } from '../exit.ts';
import { versionToName } from './capa-version.ts';

interface EditFlags extends OutputOptions {
  file?: string; problem?: string; type?: string; risk?: CapaRisk; contained?: string; containmentNotNeeded?: string;
  done?: string[]; evidence?: string[]; due?: string; effectivenessDue?: string; reason?: string; ifVersion?: number;
}

/** `SEVERITY,OCCURRENCE,DETECTION` */
function rating(text: string): CapaRisk {
  const [severity, occurrence, detection, ...more] = text.split(',').map(count);
  if (severity === undefined || occurrence === undefined || detection === undefined || more.length > 0) {
    throw new InvalidArgumentError('Write severity,occurrence,detection, each from 1 to 10: 7,3,2.');
  }
  return { severity, occurrence, detection };
}

export const capaEdit = (): Command => withJson(new Command('edit')
  .description('fill in fields; the plan is open until it is proposed, and again after a way back')
  .argument('<capa>', 'record id', id)
  .option('--file <file>', 'fields as JSON: investigation, actions, criterion, verification and the rest; - reads standard input')
  .option('--problem <text>', 'what, where, since when, how much', filled)
  .addOption(choice('--type <type>', 'what it is about', capaTypes))
  .option('--risk <s,o,d>', 'severity, occurrence, detection, each from 1 to 10', rating)
  .option('--contained <text>', 'what was done at once to stop the harm', filled)
  .option('--containment-not-needed <text>', 'why nothing had to be stopped', filled)
  .option('--done <action>', 'an action that is finished; again for more', all(filled))
  .option('--evidence <sha256>', 'an artefact that shows the problem; again for more', all(filled))
  .option('--due <time>', 'when the record should be closed, RFC 3339', filled)
  .option('--effectiveness-due <time>', 'end of the window over which its effect is measured, RFC 3339', filled)
  .option('--reason <text>', 'why; a date that was set moves with one only', filled)
  .option('--if-version <n>', 'only if the record is at this version; otherwise the one it is at now', count))
  .action(async (record: string, flags: EditFlags) => {
    const fields = { ...(flags.file === undefined ? {} : readJson(flags.file)), ...fieldsOf(flags) };
    if (Object.keys(fields).length === 0) throw usageError('nothing is to be changed: name a field, or a --file');
    const client = connect();
    const body = { version: await versionToName(client, record, flags.ifVersion), ...fields, ...(flags.reason === undefined ? {} : { reason: flags.reason }) };
    show(flags, await client.send<CapaDetail>('PATCH', apiPath('capa', record), body), capaLine);
  });

function fieldsOf(flags: EditFlags): Record<string, unknown> {
  if (flags.contained !== undefined && flags.containmentNotNeeded !== undefined) throw usageError('--contained and --containment-not-needed: it is one of them');
  const containment = flags.contained !== undefined ? { kind: 'done', description: flags.contained }
    : flags.containmentNotNeeded !== undefined ? { kind: 'not_needed', description: flags.containmentNotNeeded } : undefined;
  const fields = {
    problem_statement: flags.problem, type: flags.type, risk: flags.risk, containment, done: flags.done, evidence: flags.evidence,
    due_at: flags.due, effectiveness_due_at: flags.effectivenessDue,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
