/** `approve` and `reject`: shows what the decision is about, and decides exactly that. */
import { createInterface } from 'node:readline/promises';
import { stripVTControlCharacters } from 'node:util';
import { Command } from 'commander';
import type { ApiClient } from '../../client.ts';
import type { Approval } from '../../../domain/approval.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { isMissionId } from '../../../domain/mission.ts';
import { apiPath, queryOf, sayJson, say, withJson, type OutputOptions } from '../answer.ts';
import { filled, id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { Ending, exitCodes, usageError } from '../exit.ts';
import { evidenceLines } from '../mission-words.ts';
import { safe } from '../safe-text.ts';
import { pairs, tone } from '../terminal.ts';
import { ageOf, shortTime, span } from '../words.ts';

interface DecideFlags extends OutputOptions { reason: string; yes?: true; sendBack?: true }

export const decideCommand = (verb: 'approve' | 'reject'): Command => (verb === 'approve'
  ? decision(verb) : decision(verb).option('--send-back', 'ask for another candidate, telling the agent why, instead of ending the mission'));

const decision = (verb: 'approve' | 'reject'): Command => withJson(new Command(verb)
  .description(verb === 'approve' ? 'agree to exactly the tree and evidence that are shown' : 'refuse a change; its mission is aborted, or sent back for another candidate')
  .argument('<approval|mission>', 'approval id, or the mission that waits for one', id)
  .requiredOption('--reason <text>', 'why; it is kept with the decision', filled)
  .option('--yes', 'decide without asking; needed where there is no terminal to ask on'))
  .action(async (target: string, { reason, yes, json, sendBack }: DecideFlags) => {
    const canAsk = process.stdin.isTTY && process.stderr.isTTY;
    if (!yes && !canAsk) throw usageError('there is no terminal to ask on: look at it with missionctl approvals, then add --yes');
    const owner = ownerOf(target);
    const client = connect();
    const approval = await approvalOf(client, target, owner);
    const mission = await client.get<MissionDetail>(apiPath('missions', approval.mission_id));
    // On standard error: with --json, standard output is the answer alone.
    const shown = describe(approval, mission);
    process.stderr.write(`${process.stderr.isTTY ? shown : stripVTControlCharacters(shown)}\n\n`);
    if (!yes && !(await confirmed(verb))) throw new Ending(exitCodes.failed, 'nothing was decided');
    const answer = await client.send<{ approval_id: string; status: string }>(
      'POST', apiPath('approvals', approval.approval_id, verb), { reason, digests: approval.digests, ...(sendBack ? { send_back: true } : {}) });
    if (json) sayJson(answer.text);
    else say(`${answer.body.approval_id} is ${safe(answer.body.status)}${answer.body.status === 'waiting' ? ': more people must agree' : ''}; follow it: missionctl mission watch ${approval.mission_id}`);
  });

/** An approval's id names its mission: approval_20261121_001_2 is the second one of mission_20261121_001. @throws Ending usage */
function ownerOf(target: string): string {
  const owner = target.replace(/^approval_(\d+_\d+)_\d+$/, 'mission_$1');
  if (!isMissionId(owner)) throw usageError(`${target} is neither an approval's id (approval_…) nor a mission's (mission_…)`);
  return owner;
}

/**
 * The approval with this id, or the one that the mission waits for; else its latest, so that the API can say why not.
 * @throws Ending refused, ApiError
 */
async function approvalOf(client: ApiClient, target: string, owner: string): Promise<Approval> {
  const { items } = await client.get<{ items: Approval[] }>(apiPath('approvals') + queryOf({ mission_id: owner, limit: 200 }));
  const found = target === owner
    ? items.find(({ status }) => status === 'waiting') ?? items[0]
    : items.find(({ approval_id }) => approval_id === target);
  if (found === undefined) {
    throw new Ending(exitCodes.refused, target === owner ? `there is no approval asked for ${target}` : `there is no approval ${target}`);
  }
  return found;
}

function describe(approval: Approval, mission: MissionDetail): string {
  const { digests, decisions } = approval;
  const others = decisions.map(({ by, decision, at, reason }) => `${safe(by.id)}: ${decision}, ${shortTime(at)}, ${safe(reason)}`);
  return [
    pairs([
      ['approval', `${safe(approval.approval_id)}, ${tone(approval.status)}, ${approval.required} must agree`],
      ['mission', `${mission.mission_id}, ${tone(mission.severity)}: ${safe(mission.title)}`],
      ['sent by', safe(mission.created_by)],
      ['lands on', mission.workspace === null ? null : `${safe(mission.workspace.repo_path ?? mission.workspace.repository)}, branch ${safe(mission.workspace.target_branch)}`],
      ['asked', `${ageOf(approval.requested_at)} ago, because: ${approval.rules.map(safe).join('; ')}`],
      ['deadline', approval.status === 'waiting' ? `in ${span(Date.parse(approval.deadline) - Date.now())} (${shortTime(approval.deadline)}), then the mission is aborted` : null],
      ['decided', others.join('; ')],
    ]),
    '', 'It is bound to these; anything that changes one of them voids it:',
    pairs([
      ['  git tree', digests.git_tree === null ? null : safe(digests.git_tree)], ['  patch', digests.patch_id === null ? null : safe(digests.patch_id)],
      ['  plan', digests.plan_digest === undefined ? null : safe(digests.plan_digest)],
      ['  evidence', safe(digests.evidence_digest)], ['  policy', safe(digests.policy_digest)],
    ]),
    '', 'Evidence:', ...evidenceLines(mission.stages),
  ].join('\n');
}

async function confirmed(verb: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${verb} this? [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}
