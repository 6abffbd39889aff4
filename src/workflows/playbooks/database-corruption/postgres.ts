/**
 * database_corruption in PostgreSQL: indexes that contradict their sound tables are made anew from them. Damage in a table is
 * never touched: what would make it readable again (zero_damaged_pages, pg_resetwal) loses rows silently, so a person gets the evidence.
 */
import { z } from 'zod';
import type { ProbeResult } from '../../../activities/actions/index.ts';
import type { Check, Decline, PlannedStep } from '../../../domain/healing.ts';
import { decline, step, type PlaybookContext, type VerifyContext } from '../playbook.ts';

export const postgresCorruptionParams = {
  postgres_check_seconds: z.number().min(1).max(3_600).default(120),
  postgres_reindex_seconds: z.number().min(1).max(3_600).default(600),
};

interface Params { postgres_check_seconds: number; postgres_reindex_seconds: number }

type Report = ProbeResult<'postgres.corruption'>;
type Examined = Report['damaged'][number];

export type PostgresCorruptionFacts = { kind: 'postgres'; report: Report; unusable_indexes: number };

type Context = PlaybookContext<Params, 'postgres'>;
type Verifying = VerifyContext<Params, PostgresCorruptionFacts, 'postgres'>;

const check = (context: Context): Promise<Report> =>
  context.probe('postgres.corruption', { time_limit_seconds: context.params.postgres_check_seconds });

const listed = (found: readonly Examined[]): string =>
  found.map(({ kind, schema, name, reason }) => `${kind} ${schema}.${name}${reason === null ? '' : ` (${reason})`}`).join('; ');

export async function planPostgres(context: Context): Promise<PostgresCorruptionFacts | Decline> {
  const report = await check(context);
  switch (report.state) {
    case 'ok': return decline('healthy', 'NO_DAMAGE', `${report.examined} tables and indexes were checked and are sound`, report);
    case 'damaged': return decline('refused', 'TABLE_DAMAGED', `damage in a table is not mended by a playbook: ${listed(report.damaged)}`, report);
    case 'unknown': return decline('refused', 'DAMAGE_UNKNOWN', whyUnknown(report), report);
    case 'index_only': {
      const { unusable } = await context.probe('postgres.index_state', { indexes: [] });
      return { kind: 'postgres', report, unusable_indexes: unusable };
    }
  }
}

function whyUnknown({ reason, damaged, unchecked, checksum_failures, examined }: Report): string {
  if (reason !== null) return reason;
  if (damaged.length > 0) return `damaged, and their tables could not be checked: ${listed(damaged)}`;
  if (unchecked.length > 0) return `not everything could be checked: ${listed(unchecked)}`;
  if (examined === 0) return 'there is nothing to check';
  return `${checksum_failures} pages had a wrong checksum, and no table or index shows which`;
}

export const postgresSteps = ({ facts, params }: { facts: PostgresCorruptionFacts; params: Params }): PlannedStep[] =>
  facts.report.damaged.map(({ schema, name, table }, n) => step({
    id: `reindex_${n + 1}`, action: 'postgres.reindex', with: { index: { schema, name }, timeout_seconds: params.postgres_reindex_seconds },
    effect: `makes the index ${schema}.${name} anew from ${schema}.${table}, which stays in use; no row is touched`,
    timeout_seconds: params.postgres_reindex_seconds + 60,
  }));

export const verifyPostgres = {
  /** What could not be checked before either is not held against it; whatever was damaged must have been checked. */
  async symptom(context: Verifying): Promise<Check> {
    const report = await check(context);
    const before = new Set(context.facts.report.unchecked.map(keyOf));
    const unchecked = report.unchecked.filter((one) => !before.has(keyOf(one)));
    const ok = report.reason === null && report.examined > 0 && report.damaged.length === 0 && unchecked.length === 0
      && report.unchecked_total <= context.facts.report.unchecked_total;
    return { ok, found: ok ? 'no damage is left' : report.reason ?? listed([...report.damaged, ...unchecked]), measured: report };
  },
  async independent(context: Verifying): Promise<Check> {
    const indexes = context.facts.report.damaged.map(({ schema, name }) => ({ schema, name }));
    const state = await context.probe('postgres.index_state', { indexes });
    const missing = state.indexes.filter(({ usable }) => !usable);
    return {
      ok: missing.length === 0,
      found: missing.length === 0 ? 'every index made anew is in use' : `not in use: ${missing.map(({ schema, name }) => `${schema}.${name}`).join(', ')}`,
      measured: state,
    };
  },
  async must_not_regress(context: Verifying): Promise<Check> {
    const { unusable } = await context.probe('postgres.index_state', { indexes: [] });
    const write = await context.probe('postgres.write_check', {});
    return {
      ok: write.writable && unusable <= context.facts.unusable_indexes,
      found: `${unusable} unusable indexes, ${context.facts.unusable_indexes} before; ${write.writable ? 'the database takes writes' : `no writes: ${write.reason}`}`,
      measured: { unusable, write },
    };
  },
};

const keyOf = ({ kind, schema, name }: Examined): string => JSON.stringify([kind, schema, name]);
