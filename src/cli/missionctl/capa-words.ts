/** CAPA records as tables and pages. */
import type { CapaState } from '../../domain/capa.ts';
import type { CapaTrends } from '../../domain/capa-trends.ts';
import type { CapaDetail, CapaView } from '../../domain/capa-view.ts';
import { safe, safeLines } from './safe-text.ts';
import { pairs, short, styled, table } from './terminal.ts';
import { ageOf, shortTime, span } from './words.ts';

export const capaTable = ({ items, next_cursor }: { items: CapaView[]; next_cursor: string | null }): string => (items.length === 0 ? 'no CAPA records' : [
  table(['record', 'state', 'seen', 'risk', 'source', 'subsystem', 'mission', 'age', 'problem'], items.map((capa) => [
    safe(capa.capa_id), capa.overdue.length === 0 ? capa.state : styled('red', `${capa.state}, overdue`), `${capa.occurrences}×`,
    capa.risk_score === null ? '' : String(capa.risk_score), safe(capa.source), safe(capa.subsystem_id), safe(capa.mission_id ?? ''),
    ageOf(capa.opened_at), short(capa.problem_statement),
  ])),
  ...(next_cursor === null ? [] : ['', `more: --cursor ${safe(next_cursor)}`]),
].join('\n'));

export function capaPage(capa: CapaDetail): string {
  const { risk, containment, investigation, criterion, verification, result } = capa;
  const cause = investigation?.root_cause ?? null;
  const head = pairs([
    ['record', `${safe(capa.capa_id)}, version ${capa.version}`], ['state', capa.state], ['next', capa.next_states.join(', ') || 'nothing: it is closed'],
    ['overdue', capa.overdue.map(lateSentence).join('; ')],
    ['source', safe(capa.source)], ['seen', `${capa.occurrences}×`], ['type', capa.type],
    ['risk', risk === null ? null : `${capa.risk_score} (severity ${risk.severity} × occurrence ${risk.occurrence} × detection ${risk.detection})`],
    ['subsystem', safe(capa.subsystem_id)], ['mission', capa.mission_id === null ? null : safe(capa.mission_id)],
    ['opened', `${ageOf(capa.opened_at)} ago (${shortTime(capa.opened_at)}) by ${safe(capa.opened_by)}`],
    ['due', capa.due_at === null ? null : shortTime(capa.due_at)],
    ['containment', containment === null ? null : `${containment.kind === 'done' ? '' : 'not needed: '}${safe(containment.description)}`],
    ['root cause', cause === null ? null : `${cause.kind === 'found' ? '' : 'undetermined: '}${safe(cause.description)}`],
    ['effective if', criterion === null ? null : `${criterion.aggregation} of ${safe(criterion.metric_id)} ${criterion.comparator} ${criterion.target} over ${criterion.window_minutes} min, ${criterion.min_samples} samples or more`],
    ['measured at', capa.effectiveness_due_at === null ? null : shortTime(capa.effectiveness_due_at)],
    ['measured', result === null ? null : `${result.passed ? 'passed' : 'not passed'}: ${safe(result.reason)}`],
    ['verified', verification === null ? null : `${safe(verification.description)}; no adverse effect: ${safe(verification.no_adverse_effect)}`],
    ['repeats', capa.duplicate_of === null ? null : safe(capa.duplicate_of)], ['fingerprint', safe(capa.fingerprint)],
  ]);
  return [
    head, '', ...safeLines(capa.problem_statement),
    ...(capa.actions.length === 0 ? [] : ['', table(['action', 'owner', 'due', 'done', 'missions', 'what'], capa.actions.map((action) => [
      safe(action.action_id), safe(action.owner), shortTime(action.due_at), action.done === null ? 'no' : `${shortTime(action.done.at)} by ${safe(action.done.by)}`,
      action.missions.map(safe).join(' '), short(action.description),
    ]))]),
    ...(capa.decisions.length === 0 ? [] : ['', table(['when', 'who', 'from', 'to', 'why'],
      capa.decisions.map(({ at, by, from, to, reason }) => [shortTime(at), safe(by), from, to, short(reason ?? '')]))]),
    ...(capa.evidence.length === 0 ? [] : ['', 'Evidence (sha256):', ...capa.evidence.map((sha256) => `  ${safe(sha256)}`)]),
  ].join('\n');
}

const lateSentence = ({ what, due_at, owner }: CapaView['overdue'][number]): string =>
  `${safe(what)} since ${shortTime(due_at)}${owner === null ? '' : `, ${safe(owner)}`}`;

/** After a change: where it is and where it can go. */
export const capaLine = (capa: { capa_id: string; state: CapaState; version: number; next_states: CapaState[] }): string =>
  `${safe(capa.capa_id)} is ${capa.state}, version ${capa.version}; next: ${capa.next_states.join(', ') || 'nothing, it is closed'}`;

const percent = (share: number | null): string => (share === null ? 'not known' : `${Math.round(share * 1_000) / 10} %`);

export const trendsPage = (trends: CapaTrends & { from: string; until: string }): string => [
  pairs([
    ['opened', `${shortTime(trends.from)} to ${shortTime(trends.until)}`], ['records', `${trends.records}, ${trends.open} open, reported ${trends.occurrences}×`],
    ['came back', percent(trends.recurrence_rate)],
    ['ineffective', `${percent(trends.effectiveness.ineffective_share)} (${trends.effectiveness.ineffective} of ${trends.effectiveness.effective + trends.effectiveness.ineffective})`],
  ]),
  ...pareto('source', trends.by_source), ...pareto('subsystem', trends.by_subsystem),
  ...(trends.time_in_state.length === 0 ? [] : ['', table(['state', 'stays', 'median', 'longest'],
    trends.time_in_state.map(({ state, stays, median_seconds, longest_seconds }) => [state, String(stays), span(median_seconds * 1_000), span(longest_seconds * 1_000)]))]),
].join('\n');

const pareto = (name: string, rows: CapaTrends['by_source']): string[] => (rows.length === 0 ? [] : ['', table([name, 'records', 'reports', 'share so far'],
  rows.map((row) => [safe(row.key), String(row.records), String(row.occurrences), percent(row.cumulative_share)]))]);
