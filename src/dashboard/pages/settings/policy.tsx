import { useSignal } from '@preact/signals';
import { severities } from '../../../domain/mission.ts';
import type { Policy } from '../../../domain/policy.ts';
import { post } from '../../api.ts';
import { sayRefused } from '../../parts/answers.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { fieldOf } from '../../parts/form.ts';
import { Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { duration } from '../../time.ts';
import { plural } from '../../words.ts';

interface Ruling { policy_digest: string; required_approvals: number; automatic: boolean; rules: string[]; protected_paths: string[] }

/** The file may change at any moment; it is read for each mission. */
const everyMs = 10_000;

/** The policy as it is read now, in words, and what it would say about a change. */
export function PolicyTab() {
  const read = useResource<{ policy_digest: string; policy: Policy }>('/policy', { every_ms: everyMs });
  return (
    <div class="sections">
      <section>
        <h3>In force now</h3>
        <Loaded of={read} what="the policy">{({ policy, policy_digest: digest }) => <InWords policy={policy} digest={digest} />}</Loaded>
        <p class="sub">It is changed in <code>config/policy.yaml</code>, and read for each mission anew. What a mission began under stays with it.</p>
      </section>
      <section>
        <h3>What would it say?</h3>
        <Check />
      </section>
    </div>
  );
}

const listed = (values: readonly string[]) => (values.length === 0 ? 'none' : <span class="marks">{values.map((value) => <code key={value}>{value}</code>)}</span>);

const InWords = ({ policy: { approvals, protected_paths, scan, landing, observation, healing, egress }, digest }: { policy: Policy; digest: string }) => (
  <dl class="policy">
    <dt>People who must agree</dt><dd>{approvals.required}, where a rule or the mission asks</dd>
    <dt>Always asked for severity</dt><dd>{listed(approvals.severities)}</dd>
    <dt>When protected paths change</dt><dd>{approvals.on_protected_paths ? 'somebody is asked' : 'nobody is asked for that'}</dd>
    <dt>Protected paths</dt><dd>{listed(protected_paths)}</dd>
    <dt>When tests vanish</dt><dd>{approvals.on_vanished_tests ? 'somebody is asked' : 'nobody is asked for that'}</dd>
    <dt>An approval waits</dt><dd>{duration(approvals.deadline_minutes * 60_000)}, then the mission ends</dd>
    <dt>Findings that stop a change</dt><dd>{scan.block_at}{scan.block_at !== 'error' && ' and worse'}</dd>
    <dt>Approval after the base moved</dt><dd>{landing.carry_approval ? 'stays, for the same patch with tests passed on the merged tree' : 'is asked for anew'}</dd>
    <dt>Landing unobserved</dt><dd>{observation.allow_unobserved ? 'allowed, with a reason' : 'refused'}</dd>
    <dt>Healing of medium risk</dt><dd>{healing.medium === 'automatic' ? 'runs alone' : 'waits for approval'}</dd>
    <dt>Private metric sources</dt><dd>{listed(egress.allow)}</dd>
    <dt>Digest</dt><dd><Copyable value={digest} /></dd>
  </dl>
);

const linesOf = (form: EventTarget | null, name: string): string[] => fieldOf(form, name).split('\n').map((line) => line.trim()).filter((line) => line !== '');

function Check() {
  const ruling = useSignal<Ruling | null>(null);
  const pending = useSignal(false);
  async function check(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    pending.value = true;
    try {
      ruling.value = await post<Ruling>('/policy/check', {
        severity: fieldOf(form, 'severity'), requires_governance_approval: new FormData(form).has('asks'), paths: linesOf(form, 'paths'), vanished_tests: linesOf(form, 'vanished_tests'),
      });
    } catch (error) {
      ruling.value = null;
      sayRefused(error);
    } finally {
      pending.value = false;
    }
  }
  return (
    <form class="fields" onSubmit={(event) => { void check(event); }}>
      <label><span>Severity</span><select name="severity">{severities.map((severity) => <option key={severity} value={severity}>{severity}</option>)}</select></label>
      <label class="choice"><input type="checkbox" name="asks" /> the mission itself asks for approval</label>
      <label class="wide"><span>Paths that change, one a line</span><textarea name="paths" class="mono" rows={3} spellcheck={false} placeholder=".github/workflows/ci.yml" /></label>
      <label class="wide"><span>Tests that vanish, one a line</span><textarea name="vanished_tests" class="mono" rows={2} spellcheck={false} /></label>
      <button type="submit" aria-busy={pending.value} disabled={pending.value}>Check</button>
      <div class="wide" aria-live="polite">
        {ruling.value !== null && (
          <div class="ruling">
            <Chip tone={ruling.value.automatic ? 'good' : 'wait'}>{ruling.value.automatic ? 'goes alone' : `${plural(ruling.value.required_approvals, 'approval')} needed`}</Chip>
            <ul>{ruling.value.rules.map((rule) => <li key={rule}>{rule}</li>)}</ul>
          </div>
        )}
      </div>
    </form>
  );
}
