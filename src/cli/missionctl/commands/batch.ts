/** `batch`: one action for many missions; what became of each is said. */
import { Command } from 'commander';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { all, filled, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { exitCodes } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { table, tone } from '../terminal.ts';

interface Results { results: { mission_id: string; ok: boolean; takes_effect?: string; problem?: { code: string; detail: string } }[] }


export const batchCommand = (): Command => new Command('batch')
  .description('pause, resume, abort or retry many missions; exits 1 when it was refused for any')
  .addCommand(batchOf('pause', 'hold them before their next stage'))
  .addCommand(batchOf('resume', 'let them go on after a pause'))
  .addCommand(batchOf('abort', 'end them; nothing lands that has not landed'))
  .addCommand(batchOf('retry', 'run their parked stages again'));

function batchOf(action: 'pause' | 'resume' | 'abort' | 'retry', description: string): Command {
  const command = withJson(new Command(action).description(description).argument('<missions...>', 'mission ids, 200 at most', all(id)));
  return (action === 'abort' ? command.requiredOption('--reason <text>', 'why', filled) : command.option('--reason <text>', 'why', filled))
    .action(async (missions: string[], { reason, ...output }: OutputOptions & { reason?: string }) => {
      const body = { mission_ids: missions, action, ...(reason === undefined ? {} : { reason }) };
      const answer = await connect().send<Results>('POST', apiPath('missions', 'batch'), body);
      show(output, answer, ({ results }) => table(['mission', 'result', ''], results.map(({ mission_id, ok, takes_effect, problem }) =>
        [safe(mission_id), tone(ok ? 'ok' : 'failed'), safe(ok ? `takes effect ${takes_effect ?? ''}` : `${problem?.code ?? ''}: ${problem?.detail ?? ''}`)])));
      if (answer.body.results.some(({ ok }) => !ok)) process.exitCode = exitCodes.failed;
    });
}
