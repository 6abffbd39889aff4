/** Stage 6, publish_diagnostics: the security scan, and one report of stages 1 to 5 for people and for programs. */
import type { DiagnosticsInput } from '../domain/coding.ts';
import { blocks } from '../domain/policy.ts';
import type { StageOutcome } from '../domain/stages.ts';
import { evidence } from '../store/artifacts.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { scanChange, toSarif, type Scan } from './scan.ts';

export const diagnosticsActivities = ({ git, mirrors, artifacts }: ActivityDeps) => ({
  /** Safe to repeat: reads the two trees and stores what it finds by digest. */
  async publishDiagnostics(input: DiagnosticsInput): Promise<StageOutcome> {
    return withHeartbeat(async () => {
      const gitDir = mirrors.pathOf(input.repository_id);
      const scan = await scanChange(git, gitDir, input.base.tree, input.candidate.tree);
      const blocking = scan.findings.filter((finding) => blocks(finding.level, input.policy.scan.block_at));
      const report = { mission_id: input.mission_id, attempt: input.attempt, base: input.base, candidate: input.candidate, stages: input.stages, scan };
      const [json, markdown, sarif] = await Promise.all([
        artifacts.putJson(report),
        artifacts.put(toMarkdown(input, scan), 'text/markdown'),
        artifacts.put(toSarif(scan), 'application/sarif+json'),
      ]);
      const line = `${scan.findings.length} findings in ${scan.scanned} files`;
      return {
        outcome: blocking.length === 0 ? 'passed' : 'failed',
        reason: blocking.length === 0
          ? scan.unscanned.length > 0 ? `not scanned (binary or over 1 MiB): ${scan.unscanned.slice(0, 10).join(', ')}` : null
          : `the scan blocks: ${blocking.slice(0, 10).map((f) => `${f.path}:${f.line} ${f.rule}`).join('; ')}`,
        evidence: [
          evidence('diagnostics', json, line), evidence('report', markdown, 'stages 1 to 5 for people'),
          evidence('sarif', sarif, line),
        ],
      };
    });
  },
});

/** Text of a repository stays text: a line of its own cannot become a heading, a table or a link of ours. */
const plain = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ').replaceAll(/[\\`*_{}[\]<>()#|!]/g, '\\$&');

function toMarkdown(input: DiagnosticsInput, scan: Scan): string {
  const stages = input.stages.map((stage) =>
    `| ${stage.name} | ${stage.outcome} | ${plain(stage.reason ?? '')} | ${stage.evidence.map((e) => `\`${e.sha256.slice(0, 12)}\` ${e.kind}`).join('<br>')} |`);
  const findings = scan.findings.map((f) => `- **${f.level}** ${plain(f.path)}:${f.line} ${plain(f.rule)}: ${plain(f.message)}`);
  return [
    `# ${input.mission_id}, attempt ${input.attempt}`, '',
    `Base \`${input.base.commit}\` (tree \`${input.base.tree}\`), candidate \`${input.candidate.commit}\` (tree \`${input.candidate.tree}\`).`, '',
    '| stage | outcome | reason | evidence |', '|---|---|---|---|', ...stages, '',
    '## Security scan', '',
    `${scan.scanned} files scanned, ${scan.unscanned.length} not scanned.`, '',
    ...(findings.length === 0 ? ['No findings.'] : findings), '',
  ].join('\n');
}
