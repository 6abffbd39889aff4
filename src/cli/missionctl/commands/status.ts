/** `status`: the system at a glance. Its exit code is about the asking; `doctor` is the one that judges. */
import { Command } from 'commander';
import { missionStatuses } from '../../../domain/mission.ts';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { pairs, table, tone } from '../terminal.ts';

interface Subsystem { id: string; state: string; reason: string | null; measured_at: string; duration_ms: number }
interface Status extends Record<string, unknown> {
  version: string; git_sha: string | null; git_branch: string | null; environment: string; config_hash: string;
  total_missions: number; overall_health: string; subsystems: Subsystem[];
}

export const statusCommand = (): Command => withJson(new Command('status')
  .description('health, measured now, and how many missions are where'))
  .action(async (output: OutputOptions) => {
    const client = connect();
    show(output, await client.send<Status>('GET', apiPath('status')), (status) => inWords(status, client.url));
  });

const inWords = (status: Status, url: string): string => [
  pairs([
    ['health', tone(status.overall_health)], ['api', safe(url)],
    ['version', `${safe(status.version)}${status.git_sha === null ? '' : ` (${safe(status.git_branch ?? 'detached')} ${safe(status.git_sha.slice(0, 12))})`}`],
    ['environment', safe(status.environment)], ['config', safe(status.config_hash)],
    ['missions', `${status.total_missions}: ${missionStatuses.map((name) => `${Number(status[`${name}_missions`] ?? 0)} ${name}`).join(', ')}`],
  ]),
  '',
  table(['part', 'health', 'measured', 'took', 'reason'], status.subsystems.map((part) => [
    safe(part.id), tone(part.state), safe(part.measured_at.slice(11, 19)), `${part.duration_ms} ms`, safe(part.reason ?? ''),
  ])),
].join('\n');
