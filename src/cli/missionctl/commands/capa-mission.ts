/** `capa mission`: a coding mission for an action, its symptoms and targets those of the record. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { severities } from '../../../domain/mission.ts';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { all, choice, filled, id, number, readText } from '../arguments.ts';
import { connect } from '../connection.ts';
import { usageError } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { nextStep } from '../words.ts';

interface MissionFlags extends OutputOptions {
  action: string; severity: string; repo: string; branch?: string; diff?: string[]; assignedTo?: string; title?: string;
  mustPass?: string[]; windowMinutes?: number; execute: boolean; idempotencyKey?: string;
}

export const capaMission = (): Command => withJson(new Command('mission')
  .description('start a coding mission for an action of the running plan')
  .argument('<capa>', 'record id', id)
  .requiredOption('--action <id>', 'the action that it is for', filled)
  .addOption(choice('--severity <severity>', 'how urgent it is', severities).makeOptionMandatory())
  .requiredOption('--repo <name|path>', 'registered name, or a path (with a /) that may be used', filled)
  .option('--branch <name>', 'target branch; otherwise the default branch of the repository', filled)
  .option('--diff <file>', 'a patch candidate; again for the next one to try; - reads standard input', all(filled))
  .option('--assigned-to <agent>', 'an agent of config/agents.yaml', filled)
  .option('--title <text>', 'one line; otherwise the record and its action', filled)
  .option('--must-pass <test>', 'a test that must be seen to pass; again for more', all(filled))
  .option('--window-minutes <n>', 'length of the observation window, fractions allowed', number)
  .option('--no-execute', 'hand it in without starting it')
  .option('--idempotency-key <key>', 'the same key again is the same mission', filled))
  .action(async (record: string, flags: MissionFlags) => {
    if (flags.diff === undefined && flags.assignedTo === undefined) throw usageError('--diff or --assigned-to is missing: who writes the change?');
    const body = {
      action_id: flags.action, severity: flags.severity, must_pass_tests: flags.mustPass ?? [], execute: flags.execute,
      ...(flags.assignedTo === undefined ? {} : { assigned_to: flags.assignedTo }), ...(flags.title === undefined ? {} : { title: flags.title }),
      ...(flags.windowMinutes === undefined ? {} : { observation_window_minutes: flags.windowMinutes }),
      workspace: {
        ...(flags.repo.includes('/') ? { repo_path: resolve(flags.repo) } : { repository: flags.repo }),
        ...(flags.branch === undefined ? {} : { target_branch: flags.branch }),
        patch_candidates: (flags.diff ?? []).map((file) => ({ kind: 'diff', text: readText(file) })),
      },
    };
    const headers: Record<string, string> = flags.idempotencyKey === undefined ? {} : { 'idempotency-key': flags.idempotencyKey };
    show(flags, await connect().send<MissionDetail>('POST', apiPath('capa', record, 'mission'), body, headers),
      (mission) => `${mission.mission_id}  ${safe(mission.title)}\n${nextStep(mission, flags.execute)}`);
  });
