/** All commands of `missionctl`. */
import { Command } from 'commander';
import { version } from '../../project.ts';
import { approvalsCommand } from './commands/approvals.ts';
import { batchCommand } from './commands/batch.ts';
import { capaCommand } from './commands/capa.ts';
import { decideCommand } from './commands/decide.ts';
import { doctorCommand } from './commands/doctor.ts';
import { findingsCommand } from './commands/findings.ts';
import { keyCommand } from './commands/key.ts';
import { mergeQueueCommand } from './commands/merge-queue.ts';
import { metricCommand } from './commands/metric.ts';
import { missionCommand } from './commands/mission.ts';
import { notificationsCommand } from './commands/notifications.ts';
import { openCommand } from './commands/open.ts';
import { healCommand, playbookCommand } from './commands/playbook.ts';
import { queueCommand } from './commands/queue.ts';
import { replayWindowCommand } from './commands/replay-window.ts';
import { repositoryCommand } from './commands/repository.ts';
import { silenceCommand } from './commands/silence.ts';
import { startCommand } from './commands/start.ts';
import { statusCommand } from './commands/status.ts';
import { subsystemsCommand } from './commands/subsystems.ts';
import { verifyCommand } from './commands/verify.ts';
import { templateCommand } from './commands/template.ts';
import { workspaceCommand } from './commands/workspace.ts';
import { exitCodesHelp } from './exit.ts';

const connectionHelp = `
Where to connect:
  MISSION_CONTROL_URL and MISSION_CONTROL_KEY, else what runs in MISSION_CONTROL_HOME (./.mission-control), by its
  run.json and admin.key. MISSION_CONTROL_KEY alone: what runs there, as somebody else. A key is never an argument.`;

/** Throws a CommanderError where commander would end the process. */
export function createProgram(): Command {
  const program = new Command('missionctl')
    .description('hand in missions, watch them, decide, and look after Mission Control')
    .version(version)
    .addHelpText('after', `${connectionHelp}\n${exitCodesHelp}`)
    .helpCommand(true);
  for (const command of [
    startCommand('start'), startCommand('demo'), openCommand(), missionCommand(), batchCommand(), templateCommand(), replayWindowCommand(), repositoryCommand(), mergeQueueCommand(), workspaceCommand(), queueCommand(), approvalsCommand(),
    decideCommand('approve'), decideCommand('reject'), findingsCommand(), silenceCommand(), subsystemsCommand(), healCommand(), playbookCommand(),
    capaCommand(), metricCommand(), notificationsCommand(), keyCommand(), verifyCommand(), statusCommand(), doctorCommand(),
  ]) program.addCommand(command);
  settle(program);
  return program;
}

/** Commands that are added inherit nothing, so each is told. */
function settle(command: Command): void {
  command.exitOverride().showSuggestionAfterError().configureOutput({ outputError: () => undefined });
  if (command.commands.length === 0) command.addHelpText('after', '\nExit codes: missionctl --help');
  for (const inner of command.commands) settle(inner);
}
