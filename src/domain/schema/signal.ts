import { z } from 'zod';
import { severities } from '../mission.ts';
import { signalSourceKinds } from '../signal.ts';
import { text } from './text.ts';

/** Names of subsystems, symptoms and resources. */
export const watchedName = z.string().regex(/^[a-z0-9][a-z0-9_.-]*$/i, 'letters, digits, _ . -').max(100);

export const maxSignalBytes = 256 * 1024;
const maxAlerts = 200;

// What identifies an alert. Sixty-four short labels are more than anybody's; a thousand long ones are an attack.
const labels = z.record(text(200), text(2_000, 0)).refine((record) => Object.keys(record).length <= 64, 'at most 64');

/** The generic form: one signal or up to 200. */
export const genericSignalSchema = z.strictObject({
  rule: text(200), subsystem_id: watchedName, symptom: watchedName.nullable().default(null), resource: watchedName.nullable().default(null),
  severity: z.enum(severities), attributes: labels.default({}), value: z.number().nullable().default(null),
  status: z.enum(['firing', 'resolved']), summary: text(500).optional(),
});
export const genericSignalsSchema = z.union([genericSignalSchema, z.array(genericSignalSchema).min(1).max(maxAlerts)]);

const alert = z.object({ status: z.enum(['firing', 'resolved']), labels, annotations: labels.default({}) });

/** https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version 4. What we do not use is not kept. */
export const alertmanagerSchema = z.object({
  version: z.literal('4'), status: z.enum(['firing', 'resolved']), receiver: text(500, 0), groupKey: text(5_000, 0),
  alerts: z.array(alert).min(1).max(maxAlerts),
});

/** Grafana's alerting webhook: Alertmanager's form with the values that were evaluated. */
export const grafanaSchema = z.object({
  status: z.enum(['firing', 'resolved']), receiver: text(500, 0), orgId: z.number().int(),
  alerts: z.array(alert.extend({ values: z.record(text(200), z.number().nullable()).nullish() })).min(1).max(maxAlerts),
});

/** `config/signals.yaml`. */
export const signalSourcesSchema = z.strictObject({
  sources: z.record(z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'small letters, digits, _ -').max(100), z.strictObject({
    kind: z.enum(signalSourceKinds),
    secret_env: z.string().regex(/^[A-Za-z_]\w*$/, 'a variable name').max(200),
    subsystem_id: watchedName.nullable().default(null),
    volatile: z.array(text(200)).max(64).default([]),
  })),
});
