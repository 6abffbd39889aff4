/** `subsystems`: every part and watched subsystem, and how old that knowledge is. */
import { Command } from 'commander';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { pairs, short, table, tone } from '../terminal.ts';
import { ageOf, span } from '../words.ts';

interface Subsystem {
  id: string; name: string; owner: string | null; state: string; reason: string | null; since: string | null; age_seconds: number | null;
  inhibited_by: string | null; depends_on: string[];
  probes: { id: string; state: string; reason: string | null; age_seconds: number; duration_ms: number; stale: boolean }[];
  open_findings: { finding_id: string; state: string; severity: string; title: string }[];
}

export const subsystemsCommand = (): Command => withJson(new Command('subsystems')
  .description('health of every part and watched subsystem; with an id, of that one')
  .argument('[subsystem]', 'subsystem id', id))
  .action(async (subsystem: string | undefined, output: OutputOptions) => {
    if (subsystem === undefined) show(output, await connect().send<{ items: Subsystem[] }>('GET', apiPath('subsystems')), subsystemTable);
    else show(output, await connect().send<Subsystem>('GET', apiPath('subsystems', subsystem)), subsystemPage);
  });

const aged = (seconds: number | null): string => (seconds === null ? 'never' : `${span(seconds * 1_000)} ago`);

const subsystemTable = ({ items }: { items: Subsystem[] }): string => table(
  ['subsystem', 'health', 'measured', 'findings', 'reason'],
  items.map((one) => [
    safe(one.id), tone(one.state), aged(one.age_seconds), String(one.open_findings.length),
    short(one.inhibited_by === null ? one.reason ?? '' : `explained by ${one.inhibited_by}: ${one.reason ?? ''}`),
  ]));

const subsystemPage = (one: Subsystem): string => [
  pairs([
    ['subsystem', `${safe(one.id)} (${safe(one.name)})`], ['owner', one.owner === null ? null : safe(one.owner)],
    ['health', `${tone(one.state)}${one.since === null ? '' : ` for ${ageOf(one.since)}`}`], ['reason', one.reason === null ? null : safe(one.reason)],
    ['measured', aged(one.age_seconds)], ['explained by', one.inhibited_by === null ? null : safe(one.inhibited_by)],
    ['depends on', one.depends_on.map(safe).join(', ')],
  ]),
  ...(one.probes.length === 0 ? [] : ['', table(['probe', 'health', 'measured', 'took', 'reason'], one.probes.map((probe) => [
    safe(probe.id), tone(probe.stale ? 'unknown' : probe.state), aged(probe.age_seconds), `${probe.duration_ms} ms`, short(probe.reason ?? ''),
  ]))]),
  ...(one.open_findings.length === 0 ? [] : ['', table(['finding', 'state', 'severity', 'what'], one.open_findings.map((finding) => [
    safe(finding.finding_id), tone(finding.state), tone(finding.severity), short(finding.title),
  ]))]),
].join('\n');
