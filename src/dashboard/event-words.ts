/** What happened, as a sentence: one for every type of event. What outsiders wrote stays text, and is cut where it is long. */
import type { EventType, StoredEvent } from '../domain/event.ts';
import { short } from './words.ts';

/** Plain words, a name that matters, or something to be read letter by letter. */
export type Words = string | { name: string } | { code: string };
export type Sentence = readonly Words[];

type Payload = Readonly<Record<string, unknown>>;

const longest = 160;
const text = (value: unknown): string => {
  const plain = typeof value === 'string' ? value : value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : `${value as number}`;
  return plain.length > longest ? `${plain.slice(0, longest)}…` : plain;
};
const name = (value: unknown): Words => ({ name: text(value) });
const code = (value: unknown): Words => ({ code: text(value) });
const hash = (value: unknown): Words => ({ code: short(text(value)) });
const stage = (value: unknown): string => text(value).replaceAll('_', ' ');
/** `: because`, when there is a because. */
const because = (value: unknown): string => (text(value) === '' ? '' : `: ${text(value)}`);
const by = ({ actor }: StoredEvent): Words[] => (actor.role === 'system' ? [] : [' by ', name(actor.id)]);

const finding = (said: string) => ({ title }: Payload): Sentence => [`${said}: `, name(title)];

const sentences: Readonly<Record<EventType, (payload: Payload, event: StoredEvent) => Sentence>> = {
  'mission.created': ({ title, mission_type }, event) => ['new mission', ...by(event), ': ', name(title ?? `${text(mission_type)} mission`)],
  'mission.execute_requested': (_, event) => ['start asked for', ...by(event)],
  'mission.started': () => ['started'],
  'mission.status_changed': ({ status, outcome, reason }) => ['mission ', name(outcome === null || outcome === undefined ? stage(status) : `${stage(status)}, ${stage(outcome)}`), because(reason)],
  'mission.waiting': ({ kind, reason }) => ['waits for ', name(kind), because(reason)],
  'mission.wait_ended': ({ kind }) => ['no longer waits for ', name(kind)],
  'mission.paused': ({ reason }, event) => ['paused', ...by(event), because(reason)],
  'mission.resumed': ({ reason }, event) => ['resumed', ...by(event), because(reason)],
  'mission.abort_requested': ({ reason }, event) => ['abort asked for', ...by(event), because(reason)],
  'mission.retried': ({ reason }, event) => ['retried', ...by(event), because(reason)],
  'mission.progress': ({ progress, message }, event) => ['reported ', name(`${text(progress)} %`), ...by(event), because(message)],
  'mission.moved': ({ to }) => ['another host takes over: ', name(to)],
  'mission.stalled': ({ reason }) => ['stalled', because(reason)],
  'lease.granted': ({ agent_id, lease_seconds }) => ['taken by ', name(agent_id), ` for ${text(lease_seconds)} s at a time`],
  'lease.lost': ({ agent_id, end_reason }) => (end_reason === 'given_back' ? ['given back by ', name(agent_id)] : ['taken back from ', name(agent_id), ': its lease ran out']),
  'patch.posted': ({ number, kind, sha256 }, event) => [`patch ${text(number)} (${text(kind)} `, hash(sha256), ') posted', ...by(event)],
  'stage.started': ({ stage: which, attempt }) => [name(stage(which)), Number(attempt) > 1 ? ` started, attempt ${text(attempt)}` : ' started'],
  'stage.ended': ({ stage: which, outcome, reason }) => [name(stage(which)), ` ${text(outcome) || 'ended'}${because(reason)}`],
  'tests.passed': ({ tree }) => ['tests passed on tree ', hash(tree)],
  'approval.requested': ({ required, rules }) => [`approval asked for, ${text(required)} needed`, because(Array.isArray(rules) ? rules.join('; ') : '')],
  'approval.decided': ({ decision, digests, reason }, event) => {
    const { git_tree: tree, plan_digest: plan } = (digests ?? {}) as Payload;
    return [decision === 'approve' ? 'approved' : 'rejected', ...by(event), ...(tree ? [' for tree ', hash(tree)] : plan ? [' for plan ', hash(plan)] : []), because(reason)];
  },
  'approval.automatic': ({ rules }) => ['needs no person', because(Array.isArray(rules) ? rules.join('; ') : '')],
  'approval.expired': () => ['approval ran out of time'],
  'approval.carried': ({ from_tree, to_tree }) => ['approval carried from tree ', hash(from_tree), ' to ', hash(to_tree)],
  'merge.landed': ({ commit, carried }) => ['landed ', hash(commit), carried === true ? ', approval carried' : ', tree as tested'],
  'merge.reverted': ({ reverts, commit }) => ['reverted ', hash(reverts), ' with ', hash(commit)],
  'merge.refused': ({ reason }) => ['merge refused', because(reason)],
  'merge.violation': ({ reason }) => ['landed tree is not the tested one', because(reason)],
  'queue.frozen': ({ reason }) => ['merge queue frozen', because(reason)],
  'queue.unfrozen': ({ reason }, event) => ['merge queue goes on', ...by(event), because(reason)],
  'observation.decided': ({ decision, reason }, event) => ['window decided', ...by(event), ': ', name(decision), because(reason)],
  'observation.ended': ({ window, verdict, reason }) => [`window ${text(window)} `, name(text(verdict).toLowerCase()), because(reason)],
  'observation.confounded': ({ summary }) => ['another change fell into the window', because(summary)],
  'observation.detector_blind': ({ metric_id, reason }) => ['no samples of ', name(metric_id), because(reason)],
  'budget.warning': ({ reason }) => ['budget nearly used', because(reason)],
  'budget.exhausted': ({ reason }) => ['budget used up', because(reason)],
  'control.stopped': ({ reason }, event) => ['everything stopped', ...by(event), because(reason)],
  'finding.opened': finding('finding opened'),
  'finding.state_changed': ({ title, from, state }) => ['finding ', name(title), ` is ${text(state)}, was ${text(from)}`],
  'finding.recurred': finding('finding came back'),
  'finding.resolved': finding('finding resolved'),
  'silence.added': ({ reason }, event) => ['findings silenced', ...by(event), because(reason)],
  'silence.removed': (_, event) => ['silence ended', ...by(event)],
  'subsystem.health_changed': ({ subsystem_id, from, state, reason, inhibited_by }) => [name(subsystem_id), ` is ${text(state)}, was ${text(from)}`, inhibited_by ? ` (explained by ${text(inhibited_by)})` : '', because(reason)],
  'healing.requested': ({ subsystem_id, playbook_id, dry_run }, event) => [dry_run === true ? 'healing plan asked for' : 'healing asked for', ...by(event), ': ', name(subsystem_id), ...(playbook_id ? [' with ', name(playbook_id)] : [])],
  'healing.planned': ({ playbook_id, steps, risk }) => [name(playbook_id), ` planned ${Array.isArray(steps) ? steps.length : 0} steps, risk ${text(risk)}`],
  'healing.step_started': ({ step, action }) => ['step ', name(step), ' ', code(action), ' started'],
  'healing.step_ended': ({ step, outcome, reason }) => ['step ', name(step), ` ${text(outcome)}${because(reason)}`],
  'healing.verified': ({ playbook_id, ok, failed }) => [name(playbook_id), ok === true ? ' verified: the symptom is gone' : ' not verified', ok === true ? '' : because(failed)],
  'healing.ended': ({ playbook_id, outcome, reason }) => [name(playbook_id), ` ${stage(outcome) || 'ended'}${because(reason)}`],
  'healing.ineffective': ({ playbook_id, resource }) => [name(playbook_id), ' did not last on ', name(resource)],
  'playbook.quarantined': ({ playbook_id, resource, reason }) => [name(playbook_id), ' quarantined on ', name(resource), because(reason)],
  'playbook.released': ({ playbook_id, resource, reason }, event) => [name(playbook_id), ' released on ', name(resource), ...by(event), because(reason)],
  'capa.opened': ({ capa_id, problem_statement }) => [name(capa_id), ' opened', because(problem_statement)],
  'capa.recurred': ({ capa_id }) => [name(capa_id), ' came back'],
  'capa.edited': ({ capa_id }, event) => [name(capa_id ?? 'CAPA record'), ' edited', ...by(event)],
  'capa.transitioned': ({ capa_id, from, to, reason }, event) => [name(capa_id ?? 'CAPA record'), ` ${stage(from).toLowerCase()} → ${stage(to).toLowerCase()}`, ...by(event), because(reason)],
  'capa.overdue': ({ capa_id, what }) => [name(capa_id), ` overdue${because(what)}`],
  'capa.effectiveness_measured': ({ capa_id, verdict, reason }) => ['effectiveness of ', name(capa_id ?? 'CAPA record'), ' measured', because(verdict ?? reason)],
  'notification.delivered': ({ channel, title }) => ['told ', name(channel), because(title)],
  'notification.failed': ({ channel, reason }) => ['could not tell ', name(channel), because(reason)],
  'notification.test_requested': ({ channel }, event) => ['test message to ', name(channel), ' asked for', ...by(event)],
  'candidates.bundled': ({ refs }) => [`the commits that did not land (${Array.isArray(refs) ? refs.length : 0}) are kept in a bundle`],
  'repository.registered': ({ name: which }, event) => ['repository ', name(which), ' registered', ...by(event)],
  'metric.defined': ({ metric_id }, event) => ['metric ', name(metric_id), ' defined', ...by(event)],
  'key.added': ({ principal_id, role }, event) => ['key for ', name(principal_id), ` (${text(role)}) added`, ...by(event)],
  'key.revoked': ({ key_id }, event) => ['key ', code(key_id), ' revoked', ...by(event)],
  'template.added': ({ name: called }, event) => ['template ', name(called), ' added', ...by(event)],
  'template.removed': ({ name: called }, event) => ['template ', name(called), ' removed', ...by(event)],
  'session.started': (_, event) => ['signed in', ...by(event)],
  'session.ended': (_, event) => ['signed out', ...by(event)],
  'signing_key.added': ({ principal_id }, event) => ['signing key of ', name(principal_id), ' added', ...by(event)],
  'log_key.added': ({ key_id }) => ['the ledger is signed with key ', code(key_id)],
  'payload.redacted': (_, event) => ['a payload was redacted', ...by(event)],
};

/** A type that this page does not know yet (an older page, a newer system) is still told. */
export function sentenceOf(event: StoredEvent): Sentence {
  const words = Object.hasOwn(sentences, event.type) ? sentences[event.type] : undefined;
  return words?.(event.payload, event).filter((part) => part !== '') ?? [event.type.replaceAll(/[._]/g, ' ')];
}

export const plainSentence = (sentence: Sentence): string =>
  sentence.map((part) => (typeof part === 'string' ? part : 'name' in part ? part.name : part.code)).join('');
