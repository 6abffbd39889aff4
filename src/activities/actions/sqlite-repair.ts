/** Mends a damaged SQLite file. What was there before stays: in the artefact store, and under another name beside it. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Integrity } from '../../domain/sqlite.ts';
import { defineAction, drift, refused, type ActionTools } from './action.ts';
import { openersThatStay } from './sqlite/holders.ts';
import { guardReplacement, keepOwner, moveAll, replace, stateOf, type Replacement } from './sqlite/replace.ts';
import { identityOfFile, maxBytes, planned, runTool, sameFile } from './sqlite/tool.ts';

const path = z.string().min(1);
const identity = z.strictObject({ device: z.string(), inode: z.string() });
const file = { path, identity };
const replacement = { ...file, side: path, quarantine: path };

async function sameDatabase(input: z.output<z.ZodObject<typeof file>>, tools: ActionTools): Promise<void> {
  await planned(tools, input.path);
  if (!sameFile(await identityOfFile(input.path), input.identity)) throw drift(`${input.path} is not the file that was planned with`);
}

/** Database, WAL and journal as bytes, in the artefact store, before anything is changed. */
const copyEvidence = defineAction({
  input: z.strictObject(file),
  guard: sameDatabase,
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const folder = join(tools.deps.config.home, 'scratch', `sqlite-${createHash('sha256').update(tools.key).digest('hex').slice(0, 24)}`);
    await rm(folder, { recursive: true, force: true });
    try {
      const files: { part: string; sha256: string; size_bytes: number }[] = [];
      for (const copy of await runTool(tools, 'copy_evidence', { path: input.path, folder, max_bytes: maxBytes })) {
        const stored = await tools.deps.artifacts.putFile(copy.path, 'application/vnd.sqlite3');
        if (stored.sha256 !== copy.sha256) throw new Error(`the copy of ${copy.part} changed between copying and storing it`);
        files.push({ part: copy.part, sha256: stored.sha256, size_bytes: stored.size_bytes });
      }
      return { files };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
});

/** @throws STILL_DAMAGED */
async function checked(path: string, tools: ActionTools): Promise<Integrity> {
  const found = await runTool(tools, 'integrity', { path, max_bytes: maxBytes });
  if (found.class !== 'ok') throw refused('STILL_DAMAGED', `${path}: ${found.error ?? found.messages[0] ?? found.class}`);
  return found;
}

const rowsOf = ({ tables }: Integrity): Record<string, number | null> => Object.fromEntries(tables.map(({ name, rows }) => [name, rows]));

/** Makes the named indexes anew from their tables, in one transaction. */
const reindex = defineAction({
  input: z.strictObject({ ...file, indexes: z.array(z.string().min(1)).min(1) }),
  guard: sameDatabase,
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    await runTool(tools, 'reindex', { path: input.path, indexes: input.indexes });
    return { rows: rowsOf(await checked(input.path, tools)) };
  },
});

/** A try that died while files changed names is gone on with; one that died before begins again. */
async function replaceWith(input: Replacement, tools: ActionTools, prepare: () => Promise<unknown>) {
  if (await stateOf(input) !== 'begun') {
    try {
      await prepare();
      await keepOwner(input);
      // Preparing takes its time: nobody may have opened it meanwhile.
      await guardReplacement(input, tools);
    } catch (error) {
      // Our own copy, of no use to anybody.
      await rm(input.side, { force: true });
      throw error;
    }
  }
  await replace(input);
  return result(input, tools);
}

const result = async (input: Replacement, tools: ActionTools) =>
  ({ quarantine: input.quarantine, rows: rowsOf(await checked(input.path, tools)) });
const ifReplaced = async (input: Replacement, tools: ActionTools) =>
  (await stateOf(input) === 'replaced' ? result(input, tools) : undefined);

/** Every row into a new file, compared row by row, which then takes the old one's place. */
const rebuild = defineAction({
  input: z.strictObject(replacement),
  guard: guardReplacement,
  async before() { return null; },
  done: (input, _before, tools) => ifReplaced(input, tools),
  act: (input, _before, tools) => replaceWith(input, tools, () => runTool(tools, 'rebuild', { path: input.path, side: input.side })),
});

/** A copy of the backup, checked again, takes the database's place. */
const restore = defineAction({
  input: z.strictObject({ ...replacement, backup: path, sha256: z.string().regex(/^[0-9a-f]{64}$/), rows: z.record(z.string(), z.number().nullable()) }),
  guard: guardReplacement,
  async before() { return null; },
  done: (input, _before, tools) => ifReplaced(input, tools),
  act: (input, _before, tools) => replaceWith(input, tools, async () => {
    const { backup, sha256, side } = input;
    const found = await runTool(tools, 'restore', { backup, sha256, side, max_bytes: maxBytes });
    if (found.class !== 'ok') throw refused('BACKUP_DAMAGED', `${backup}: ${found.error ?? found.messages[0] ?? found.class}`);
    const short = found.tables.find(({ name, rows }) => rows !== (input.rows[name] ?? null));
    if (short !== undefined) throw drift(`${backup} has ${short.rows} rows in ${short.name}, not ${input.rows[short.name]}`);
  }),
});

/** Takes a replacement back: the new file is kept under a name of its own, and the old one has its place again. */
const putBack = defineAction({
  input: z.strictObject({ ...file, quarantine: path, withdrawn: path }),
  async guard(input) {
    if (!sameFile(await identityOfFile(input.quarantine), input.identity)) {
      if (sameFile(await identityOfFile(input.path), input.identity)) return;
      throw drift(`${input.quarantine} is not the file that was set aside`);
    }
    const { pids } = await openersThatStay(input.path);
    if (pids.length > 0) throw refused('DATABASE_IN_USE', `${input.path} is open in ${pids.map((pid) => `pid ${pid}`).join(', ')}`);
  },
  async before() { return null; },
  async done() { return undefined; },
  async act(input) {
    const now = await identityOfFile(input.path);
    // Without a database there, a WAL is the old one's: a try that died has brought it back already.
    if (now !== undefined && !sameFile(now, input.identity)) await moveAll(input.path, input.withdrawn);
    await moveAll(input.quarantine, input.path);
    return { put_back: true };
  },
});

/** What can still be read, into a side file for a person to look at. The database is not touched. */
const salvage = defineAction({
  input: z.strictObject({ ...file, side: path }),
  async guard(input, tools) {
    await sameDatabase(input, tools);
  },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    return { side: input.side, ...await runTool(tools, 'salvage', { path: input.path, side: input.side }) };
  },
});

/** The end of a ladder: what is left may not be done without a person's choice, and the run says so by its code. */
const handOver = defineAction({
  input: z.strictObject({ code: z.string().regex(/^[A-Z_]+$/), reason: z.string().min(1).max(4_000) }),
  async guard(input) { throw refused(input.code, input.reason); },
  async before() { return null; },
  async done() { return undefined; },
  async act(input): Promise<never> { throw refused(input.code, input.reason); },
});

export const sqliteRepairActions = {
  'sqlite.copy_evidence': copyEvidence, 'sqlite.reindex': reindex, 'sqlite.rebuild': rebuild, 'sqlite.restore': restore,
  'sqlite.put_back': putBack, 'sqlite.salvage': salvage, 'sqlite.hand_over': handOver,
};
