import type { Approval } from '../../../domain/approval.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { inPath } from '../../api.ts';
import { Card } from '../../parts/card.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { evidenceOf, useJsonArtifact } from './artifact.ts';

interface Verdict { passed: boolean; must_pass_tests?: string[]; candidate?: string }
interface Run { sandbox?: unknown }

/** What stands proved so far: the three trees that must be one, who agreed, how it ran. A dash is "not yet". */
export function Proved({ mission, approvals }: { mission: MissionDetail; approvals: readonly Approval[] }) {
  const tests = mission.stages.filter((stage) => stage.name === 'run_tests');
  const verdict = useJsonArtifact<Verdict>(evidenceOf(tests, 'test_verdict')[0]).value;
  const run = useJsonArtifact<Run>(evidenceOf(tests, 'test_run')[0]).value;
  const tested = verdict?.passed === true ? verdict.candidate ?? null : null;
  const approval = approvals.find((one) => one.status === 'approved');
  const automatic = mission.stages.some((stage) => stage.name === 'governance_approval' && stage.status === 'passed') && approval === undefined;
  const approved = approval?.digests.git_tree ?? null;
  const landed = mission.landed_tree;
  const same = (tree: string | null, as: string | null): string => (tree === null || as === null ? '' : tree === as ? ' ✓' : ' ✕ another tree');
  const approvers = approval?.decisions.filter((one) => one.decision === 'approve').map((one) => one.by.id) ?? [];
  const required = verdict?.must_pass_tests ?? mission.acceptance_criteria.must_pass_tests;
  return (
    <Card title="What it proved" aside="bound by digests">
      <dl>
        <dt>Tested tree</dt><dd>{tested === null ? '–' : <Copyable value={tested} short={12} />}</dd>
        <dt>Approved tree</dt><dd>{automatic ? 'no person needed' : approved === null ? '–' : <><Copyable value={approved} short={12} />{same(approved, tested)}</>}</dd>
        <dt>Landed tree</dt><dd>{landed === null ? '–' : <><Copyable value={landed} short={12} />{same(landed, tested)}</>}</dd>
        <dt>Named tests</dt><dd>{required.length === 0 ? 'none asked for' : `${required.join(', ')}${verdict?.passed === true ? ' ✓' : ''}`}</dd>
        <dt>Approver</dt><dd>{approvers.length === 0 ? '–' : `${approvers.join(', ')}, not the author ✓`}</dd>
        <dt>Sandbox</dt><dd>{run?.sandbox === undefined ? '–' : sandboxWords(run.sandbox)}</dd>
      </dl>
      <div class="pad"><a class="button wide" href={`/mission-control/missions/${inPath(mission.mission_id)}/export`} download>Download proof</a></div>
    </Card>
  );
}

function sandboxWords(sandbox: unknown): string {
  if (typeof sandbox === 'string') return sandbox;
  const { kind, network } = (sandbox ?? {}) as { kind?: string; network?: boolean };
  return [kind ?? 'none', network === undefined ? null : network ? 'network' : 'no network'].filter((part) => part !== null).join(', ');
}
