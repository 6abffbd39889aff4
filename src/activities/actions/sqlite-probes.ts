/** Looks at SQLite files: who locks them, whether a write can begin, what is wrong with them, what backups are worth. */
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { blockersOf, isKnown, pinsOf, type BackupReport, type FileIdentity, type Integrity, type LockHolder, type WriteCheck } from '../../domain/sqlite.ts';
import { defineProbe } from './action.ts';
import { lockHolders, openersOf, type Openers } from './sqlite/holders.ts';
import { identityOfFile, located, maxBytes, runTool } from './sqlite/tool.ts';

const nothing = z.strictObject({});

type Locks = { holders: LockHolder[]; blockers: LockHolder[]; pins: LockHolder[]; known: boolean };

const locks = defineProbe({
  input: nothing,
  async look(_input, tools): Promise<Locks> {
    const holders = await lockHolders((await located(tools)).path);
    const [blockers, pins] = [blockersOf(holders), pinsOf(holders)];
    return { holders, blockers, pins, known: [...blockers, ...pins].every(isKnown) };
  },
});

const writeCheck = defineProbe({
  input: z.strictObject({ busy_timeout_ms: z.number().int().min(0).max(60_000).default(1_000) }),
  async look({ busy_timeout_ms }, tools): Promise<WriteCheck> {
    return runTool(tools, 'write_check', { path: (await located(tools)).path, busy_timeout_ms }, busy_timeout_ms / 1_000 + 30);
  },
});

const integrity = defineProbe({
  input: nothing,
  async look(_input, tools): Promise<Integrity> {
    return runTool(tools, 'integrity', { path: (await located(tools)).path, max_bytes: maxBytes });
  },
});

type Backups = { folder: string | null; backups: BackupReport[] };

const backups = defineProbe({
  input: z.strictObject({ limit: z.number().int().min(1).max(100).default(10) }),
  async look({ limit }, tools): Promise<Backups> {
    const { resource } = await located(tools);
    if (resource.backups === null) return { folder: null, backups: [] };
    return { folder: resource.backups, backups: await runTool(tools, 'backups', { folder: resource.backups, limit, max_bytes: maxBytes }) };
  },
});

type Files = {
  path: string;
  identity: FileIdentity | null;
  size_bytes: number | null;
  modified_ms: number | null;
  /** 0 when there is none. */
  wal_bytes: number;
  journal_bytes: number;
  openers: Openers;
  /** Whether the file that was set aside is still there; null when none was asked for. */
  quarantined: boolean | null;
};

/** The files by their names alone: sizes, which file it is, and who has it open. */
const files = defineProbe({
  input: z.strictObject({ quarantine: z.string().nullable().default(null) }),
  async look({ quarantine }, tools): Promise<Files> {
    const { path } = await located(tools);
    const found = await stat(path).catch(() => undefined);
    const sizeOf = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.size ?? 0;
    return {
      path, identity: await identityOfFile(path) ?? null, size_bytes: found?.size ?? null, modified_ms: found === undefined ? null : Math.trunc(found.mtimeMs),
      wal_bytes: await sizeOf(`${path}-wal`), journal_bytes: await sizeOf(`${path}-journal`), openers: await openersOf(path),
      quarantined: quarantine === null ? null : await identityOfFile(quarantine) !== undefined,
    };
  },
});

const wal = defineProbe({
  input: nothing,
  async look(_input, tools): Promise<{ wal_bytes: number }> {
    const { path } = await located(tools);
    return { wal_bytes: (await stat(`${path}-wal`).catch(() => undefined))?.size ?? 0 };
  },
});

export const sqliteProbes = {
  'sqlite.locks': locks, 'sqlite.write_check': writeCheck, 'sqlite.integrity': integrity, 'sqlite.backups': backups,
  'sqlite.files': files, 'sqlite.wal': wal,
};
