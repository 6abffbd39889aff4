/** Signals from outside: alerts of monitoring systems and symptoms that agents and people post. Their words are hostile. */
import type { Evaluation } from './finding.ts';
import type { WatchedRule } from './finding-record.ts';
import type { Severity } from './mission.ts';

export const signalSourceKinds = ['alertmanager', 'grafana', 'generic'] as const;
export type SignalSourceKind = (typeof signalSourceKinds)[number];

/** One source of webhooks, as `config/signals.yaml` declares it. */
export interface SignalSource {
  source_id: string;
  kind: SignalSourceKind;
  /** Name of the environment variable that holds the secret. */
  secret_env: string;
  /** Subsystem of alerts that name none. */
  subsystem_id: string | null;
  /** Labels that do not tell one symptom from another. */
  volatile: string[];
}

/** One signal, whatever form it came in. */
export interface Signal {
  rule: string;
  subsystem_id: string;
  symptom: string | null;
  resource: string | null;
  severity: Severity;
  status: 'firing' | 'resolved';
  value: number | null;
  /** Of the alert: what identifies it. */
  attributes: Record<string, string>;
  summary: string;
}

/** Who sent a signal: a source of signed webhooks, or whoever holds a key. */
export interface SignalSender {
  id: string;
  source: SignalSource | null;
}

const sentBy = 'mission_control.sent_by';

/** Rules of a webhook source are its own; those posted with keys are one, so that two who see one thing find one thing. */
export function ruleOfSignal(signal: Signal, { id, source }: SignalSender): WatchedRule {
  const from = source?.source_id ?? null;
  return {
    rule_id: from === null ? `signal:${signal.rule}` : `signal:${from}:${signal.rule}`,
    source: 'signal', subsystem_id: signal.subsystem_id, resource_id: signal.resource, symptom: signal.symptom, playbook_id: null,
    // The sender has waited already; an alert that it resolves is over.
    severity: signal.severity, for_seconds: 0, keep_firing_for_seconds: 0, title: signal.summary,
    volatile: [...source?.volatile ?? [], sentBy],
    attributes: {
      ...signal.attributes, 'mission_control.subsystem': signal.subsystem_id, 'mission_control.resource': signal.resource ?? '',
      'mission_control.symptom': signal.symptom ?? '', [sentBy]: id,
    },
  };
}

export const evaluationOfSignal = (signal: Signal, now: number): Evaluation =>
  ({ outcome: signal.status === 'firing' ? 'bad' : 'good', value: signal.value, at: now, reason: signal.status === 'firing' ? signal.summary : 'resolved by its sender' });

/** An alert as Alertmanager and Grafana send it, as far as it is used. */
export interface WebhookAlert {
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations: Record<string, string>;
  values?: Record<string, number | null> | null | undefined;
}

/** Words for severity that monitoring systems use. Anything else is medium: nobody decides by a word we do not know. */
const severityWords: Record<string, Severity> = {
  critical: 'critical', page: 'critical', emergency: 'critical', high: 'high', error: 'high', major: 'high', warning: 'medium', warn: 'medium',
  medium: 'medium', minor: 'low', low: 'low', info: 'low', notice: 'low', none: 'low',
};

const own = (record: Readonly<Record<string, string>>, name: string): string | undefined => (Object.hasOwn(record, name) ? record[name] : undefined);

export function severityOf(word: string | undefined): Severity {
  const key = (word ?? '').toLowerCase();
  return Object.hasOwn(severityWords, key) ? severityWords[key]! : 'medium';
}

/** Words that name a symptom class, a resource or a subsystem; a label that holds anything else names none. */
const idPattern = /^[a-z0-9][a-z0-9_.-]{0,99}$/i;
const idOf = (text: string | undefined): string | null => (text !== undefined && idPattern.test(text) ? text : null);

/** Labels that say what an alert is about; they are kept beside its identity, not in it. */
const spoken = new Set(['severity', 'symptom', 'resource', 'subsystem', 'subsystem_id']);

/** @returns the signal, or why there is none */
export function signalOfAlert(alert: WebhookAlert, source: Pick<SignalSource, 'subsystem_id'>): Signal | { refused: string; field: string } {
  const { labels, annotations } = alert;
  const rule = own(labels, 'alertname');
  if (rule === undefined || rule.trim() === '') return { refused: 'an alert needs its name', field: 'labels.alertname' };
  const subsystem = idOf(own(labels, 'subsystem_id') ?? own(labels, 'subsystem')) ?? source.subsystem_id;
  if (subsystem === null) return { refused: 'name the subsystem, or give its source one', field: 'labels.subsystem_id' };
  const values = Object.entries(alert.values ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  const value = values.find((value): value is number => typeof value === 'number' && Number.isFinite(value)) ?? null;
  return {
    rule: rule.slice(0, 200), subsystem_id: subsystem, symptom: idOf(own(labels, 'symptom')), resource: idOf(own(labels, 'resource')),
    severity: severityOf(own(labels, 'severity')), status: alert.status, value,
    attributes: Object.fromEntries(Object.entries(labels).filter(([name]) => !spoken.has(name))),
    summary: (own(annotations, 'summary') ?? own(annotations, 'description') ?? rule).slice(0, 500),
  };
}

