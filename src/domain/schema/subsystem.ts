import { z } from 'zod';
import { severities } from '../mission.ts';
import { metricIdSchema } from './metric.ts';
import { text } from './text.ts';

const id = z.string().regex(/^[a-z0-9][a-z0-9_-]*$/i, 'letters, digits, _ -').max(100);
const environmentName = z.string().regex(/^[A-Za-z_]\w*$/, 'a variable name').max(200);
const argv = z.array(z.string().min(1)).min(1).max(200);
const path = z.string().max(4_000).startsWith('/', 'an absolute path');
const httpUrl = z.url({ protocol: /^https?$/ });

const probeCommon = {
  id, interval_seconds: z.number().positive().max(3_600).default(15), timeout_seconds: z.number().positive().max(60).default(5),
  for_seconds: z.number().min(0).max(86_400).default(0), keep_firing_for_seconds: z.number().min(0).max(86_400).optional(), severity: z.enum(severities).default('high'),
  symptom: id.nullable().default(null), resource: id.nullable().default(null),
};

const probeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...probeCommon, kind: z.literal('http'), url: httpUrl, expect_status: z.number().int().min(100).max(599).default(200), degraded_ms: z.number().positive().optional() }),
  z.strictObject({ ...probeCommon, kind: z.literal('tcp'), host: text(255), port: z.number().int().min(1).max(65_535) }),
  z.strictObject({ ...probeCommon, kind: z.literal('postgres'), url_env: environmentName }),
  z.strictObject({ ...probeCommon, kind: z.literal('temporal') }),
  z.strictObject({ ...probeCommon, kind: z.literal('command'), argv }),
  z.strictObject({ ...probeCommon, kind: z.literal('metric'), metric_id: metricIdSchema }),
  z.strictObject({ ...probeCommon, kind: z.literal('process'), resource: id }),
  z.strictObject({ ...probeCommon, kind: z.literal('sqlite'), resource: id }),
]);

const instanceSchema = z.strictObject({
  id, pid_file: path, argv, cwd: path, env: z.record(environmentName, z.string()).default({}),
  ready_url: httpUrl.nullable().default(null), drain_url: httpUrl.nullable().default(null), spare: z.boolean().default(false),
  inspector_port: z.number().int().min(1).max(65_535).nullable().default(null),
});

/** An instance is found by its pid file: two with the same would be taken for each other. */
function eachOnce(instances: readonly { id: string; pid_file: string }[], context: z.RefinementCtx): void {
  for (const field of ['id', 'pid_file'] as const) {
    for (const [index, instance] of instances.entries()) {
      if (instances.findIndex((other) => other[field] === instance[field]) !== index) context.addIssue({ code: 'custom', path: [index, field], message: `${instance[field]} is there twice` });
    }
  }
}

const resourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sqlite'), path, writers: z.array(id).max(20).default([]), backups: path.nullable().default(null),
    canary_tables: z.array(text(200)).max(50).default([]), allow_terminate: z.array(z.string().min(1)).max(50).default([]),
  }),
  z.strictObject({
    kind: z.literal('postgres'), url_env: environmentName, allow_terminate: z.array(z.string().min(1)).max(50).default([]),
    analyze_tables: z.array(text(200)).max(50).default([]),
  }),
  z.strictObject({
    kind: z.literal('service'),
    manager: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('process'), instances: z.array(instanceSchema).min(1).max(50).superRefine(eachOnce) }),
      z.strictObject({ kind: z.literal('systemd'), unit: z.string().regex(/^[\w@.:-]+$/, 'a unit name').refine((unit) => !unit.startsWith('-'), 'a unit name') }),
      z.strictObject({ kind: z.literal('docker_compose'), file: path, service: id }),
      z.strictObject({ kind: z.literal('http'), restart_url: httpUrl, status_url: httpUrl }),
    ]),
    stop_timeout_seconds: z.number().positive().max(600).default(10), ready_timeout_seconds: z.number().positive().max(600).default(30),
    min_healthy: z.number().int().min(0).max(50).default(0), cache_url: httpUrl.nullable().default(null),
    latency_metric: metricIdSchema.nullable().default(null), error_metric: metricIdSchema.nullable().default(null),
  }),
  z.strictObject({
    kind: z.literal('packages'), manager: z.enum(['npm', 'pip']), path, check_argv: argv,
    rebuild_allowed: z.array(z.string().min(1)).max(50).default([]),
  }),
]);

/** `config/subsystems.yaml`. */
export const subsystemsSchema = z.strictObject({
  subsystems: z.record(id, z.strictObject({
    name: text(200), owner: text(200).nullable().default(null), depends_on: z.array(id).max(50).default([]),
    probes: z.array(probeSchema).max(50).default([]), resources: z.record(id, resourceSchema).default({}),
  }).superRefine((subsystem, context) => {
    for (const [index, probe] of subsystem.probes.entries()) {
      const at = (field: string) => ['probes', index, field];
      if (subsystem.probes.findIndex((other) => other.id === probe.id) !== index) context.addIssue({ code: 'custom', path: at('id'), message: `${probe.id} is there twice` });
      if (probe.resource === null) continue;
      const resource = Object.hasOwn(subsystem.resources, probe.resource) ? subsystem.resources[probe.resource] : undefined;
      if (resource === undefined) context.addIssue({ code: 'custom', path: at('resource'), message: `there is no resource ${probe.resource}` });
      else if (probe.kind === 'sqlite' && resource.kind !== 'sqlite') context.addIssue({ code: 'custom', path: at('resource'), message: 'is no SQLite file' });
      else if (probe.kind === 'process' && resource.kind !== 'service') context.addIssue({ code: 'custom', path: at('resource'), message: 'is no service' });
    }
    for (const [name, resource] of Object.entries(subsystem.resources)) {
      if (resource.kind !== 'sqlite') continue;
      for (const writer of resource.writers) {
        const service = Object.hasOwn(subsystem.resources, writer) ? subsystem.resources[writer] : undefined;
        if (service?.kind !== 'service') context.addIssue({ code: 'custom', path: ['resources', name, 'writers'], message: `${writer} is no service of this subsystem` });
      }
    }
  })).superRefine((subsystems, context) => {
    for (const [name, { depends_on }] of Object.entries(subsystems)) {
      for (const parent of depends_on) {
        if (parent === name) context.addIssue({ code: 'custom', path: [name, 'depends_on'], message: 'depends on itself' });
      }
    }
  }),
});
