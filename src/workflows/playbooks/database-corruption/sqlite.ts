/**
 * database_corruption in SQLite: writers are stopped, the files kept as evidence, and then by what is damaged: indexes are made
 * anew, readable tables are copied out, a backup that passes its own checks is restored; failing all, what can be read goes into
 * a side file and a person decides. The old file keeps its bytes under another name.
 */
import { z } from 'zod';
import type { Check, Decline, PlannedStep } from '../../../domain/healing.ts';
import { faultOf, lossBy, rowsOnlyInIndexes, type BackupReport, type FileIdentity, type Integrity } from '../../../domain/sqlite.ts';
import { decline, type PlaybookContext, type VerifyContext } from '../playbook.ts';
import { repairSteps } from './sqlite-steps.ts';

export const sqliteCorruptionParams = {
  /** A backup with less than this part of the rows that are known is not one of this database. */
  sqlite_backup_min_ratio: z.number().min(0).max(1).default(0.5),
  /** How many backups are looked at, newest first. */
  sqlite_backups: z.number().int().min(1).max(100).default(10),
};

const shape = z.object(sqliteCorruptionParams);
type Params = z.output<typeof shape>;

export type SqliteCorruptionFacts = {
  kind: 'sqlite';
  path: string;
  identity: FileIdentity;
  /** Of this file in this state: what side and quarantined files are named by. */
  stamp: string;
  damage: Integrity;
  repair:
    | { way: 'reindex'; data_loss: number }
    | { way: 'rebuild'; data_loss: number }
    | { way: 'restore'; backup: BackupReport; data_loss: number }
    | { way: 'salvage' };
  /** Backups that were not taken, and why. */
  unfit: { path: string; reason: string }[];
};

type Context = PlaybookContext<Params, 'sqlite'>;
type Verifying = VerifyContext<Params, SqliteCorruptionFacts, 'sqlite'>;

const describe = ({ error, messages, class: kind }: Integrity): string => [kind, error, messages[0]].filter((part) => part !== null && part !== undefined).join(': ');

export async function planSqlite(context: Context): Promise<SqliteCorruptionFacts | Decline> {
  const { resource } = context;
  const { path, identity, modified_ms, openers } = await context.probe('sqlite.files', {});
  if (identity === null) return decline('refused', 'FILE_MISSING', `${path} is not there: nothing was found that could be mended`);
  const damage = await context.probe('sqlite.integrity', {});
  if (damage.class === 'ok') {
    if (damage.foreign_key_violations === 0) return decline('healthy', 'SOUND', `${path} is sound`, damage);
    return damage.foreign_key_violations === null
      ? decline('refused', 'REFERENCES_UNKNOWN', `${path} is sound, but its references between tables cannot be checked as they are declared`, damage)
      : decline('refused', 'ROWS_MISSING', `${path} is sound, but ${damage.foreign_key_violations} rows refer to rows that are not there: no repair of the file brings them back`, damage);
  }
  if (resource.writers.length === 0 && openers.pids.length > 0) {
    return decline('refused', 'WRITERS_UNKNOWN', `${path} is open in ${openers.pids.map((pid) => `pid ${pid}`).join(', ')}, and it declares no writers that could be stopped`, damage);
  }
  const known = { kind: 'sqlite' as const, path, identity, stamp: `${identity.inode}-${modified_ms ?? 0}`, damage, unfit: [] };
  const lost = rowsOnlyInIndexes(damage.tables);
  if (damage.class === 'index_only') return { ...known, repair: { way: 'reindex', data_loss: lost } };
  if (damage.class === 'tables_readable') return { ...known, repair: { way: 'rebuild', data_loss: lost } };
  const { backups } = await context.probe('sqlite.backups', { limit: context.params.sqlite_backups });
  const judged = backups.map((backup) => ({ backup, fault: faultOf(backup, damage.tables, resource.canary_tables, context.params.sqlite_backup_min_ratio) }));
  const good = judged.find(({ fault }) => fault === undefined)?.backup;
  const unfit = judged.flatMap(({ backup, fault }) => (fault === undefined ? [] : [{ path: backup.path, reason: fault }]));
  if (good === undefined) return { ...known, unfit, repair: { way: 'salvage' } };
  return { ...known, unfit, repair: { way: 'restore', backup: good, data_loss: lossBy(good, damage.tables) } };
}

export const sqliteSteps = ({ facts, resource }: { facts: SqliteCorruptionFacts; resource: { writers: string[] } }): PlannedStep[] =>
  repairSteps(facts, resource.writers);

/** What each table must hold at least, by the way that was taken. */
function promised({ repair, damage }: SqliteCorruptionFacts): Record<string, number | null> {
  return repair.way === 'restore' ? repair.backup.rows : Object.fromEntries(damage.tables.map(({ name, rows }) => [name, rows]));
}

export const quarantineOf = ({ path, stamp }: Pick<SqliteCorruptionFacts, 'path' | 'stamp'>): string => `${path}.quarantined-${stamp}`;

export const verifySqlite = {
  async symptom(context: Verifying): Promise<Check> {
    const now = await context.probe('sqlite.integrity', {});
    return { ok: now.class === 'ok', found: `integrity: ${describe(now)}`, measured: now };
  },
  /** Another way than a check of pages: a write begins, and every index has as many entries as its table has rows. */
  async independent(context: Verifying): Promise<Check> {
    const write = await context.probe('sqlite.write_check', { busy_timeout_ms: 5_000 });
    const { tables } = await context.probe('sqlite.integrity', {});
    const uneven = tables.filter(({ rows, entries }) => rows === null || (entries !== null && entries !== rows)).map(({ name }) => name);
    const ok = write.ok && tables.length > 0 && uneven.length === 0;
    return {
      ok, measured: { write, tables },
      found: ok ? `a write began after ${write.latency_ms} ms, and indexes and tables agree`
        : [...(write.ok ? [] : [`no write can begin: ${write.error ?? 'for no reason that is known'}`]), ...(tables.length === 0 ? ['there is no table'] : []), ...uneven.map((name) => `${name} and its indexes disagree`)].join('; '),
    };
  },
  /** No fewer rows than the plan said, no more dangling references, and the old file kept where one was replaced. */
  async must_not_regress(context: Verifying): Promise<Check> {
    const { facts } = context;
    const now = await context.probe('sqlite.integrity', {});
    const wrong: string[] = [];
    for (const [name, before] of Object.entries(promised(facts))) {
      const rows = now.tables.find((table) => table.name === name)?.rows ?? null;
      if (before !== null && !(rows !== null && rows >= before)) wrong.push(`${name} has ${rows ?? 'no countable'} rows, ${before} were promised`);
    }
    const references = facts.repair.way === 'restore' ? 0 : facts.damage.foreign_key_violations;
    if (references !== null && !(now.foreign_key_violations !== null && now.foreign_key_violations <= references)) {
      wrong.push(`${now.foreign_key_violations ?? 'an unknown number of'} rows refer to missing rows, ${references} before`);
    }
    const replaced = facts.repair.way === 'rebuild' || facts.repair.way === 'restore';
    if (replaced) {
      const { quarantined } = await context.probe('sqlite.files', { quarantine: quarantineOf(facts) });
      if (quarantined !== true) wrong.push(`${quarantineOf(facts)} is not there`);
    }
    return { ok: wrong.length === 0, found: wrong.length === 0 ? 'every promised row is there' : wrong.join('; '), measured: now };
  },
};
