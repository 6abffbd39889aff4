/** The brief of one attempt, with the end of what every earlier one printed. */
import { readFile } from 'node:fs/promises';
import { briefText, excerptBytes, type EarlierAttempt } from '../domain/agent.ts';
import type { CommitRef } from '../domain/coding.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import type { ActivityDeps } from './deps.ts';

export interface BriefInput {
  mission_id: string;
  mission: Pick<MissionPackage, 'title' | 'description' | 'symptoms' | 'acceptance_criteria'>;
  base: CommitRef;
  agent_attempt: number;
  max_attempts: number;
  earlier: readonly EarlierAttempt[];
}

export async function writeBrief({ artifacts }: Pick<ActivityDeps, 'artifacts'>, input: BriefInput): Promise<string> {
  const { mission } = input;
  const { must_pass_tests, metric_targets } = mission.acceptance_criteria;
  return briefText({
    mission_id: input.mission_id, title: mission.title, description: mission.description,
    symptoms: mission.symptoms.map((symptom) => symptom.description), must_pass_tests,
    targets: metric_targets.map((target) => `${target.metric_id} ${target.comparator} ${target.target}`),
    base_commit: input.base.commit, attempt: input.agent_attempt, max_attempts: input.max_attempts,
    earlier: await Promise.all(input.earlier.map(async ({ attempt, reason, log }) => ({
      attempt, reason, log_excerpt: log === null ? '' : await tailOf(artifacts.pathOf(log)),
    }))),
  });
}

async function tailOf(path: string): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  return bytes.subarray(-excerptBytes).toString('utf8');
}
