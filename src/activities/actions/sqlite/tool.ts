/** The worker's side of the SQLite tool: it never opens a database file itself. */
import { realpath, rm, stat } from 'node:fs/promises';
import type { SqliteResource } from '../../../domain/subsystem.ts';
import type { FileIdentity } from '../../../domain/sqlite.ts';
import { sqliteTool } from '../../../project.ts';
import type { Operations } from '../../sqlite/tool.ts';
import { drift, refused, resourceOf, type ActionTools } from '../action.ts';

/** Larger files are for people: a check would read them for longer than a run may take. */
export const maxBytes = 8 * 1024 ** 3;
const timeLimitSeconds = 900;

/** @throws the tool's own codes, `SQLITE_…` among them, and SQLITE_TOOL_TIMEOUT */
export async function runTool<O extends keyof Operations>(
  { deps, key, signal }: Pick<ActionTools, 'deps' | 'key' | 'signal'>, operation: O, input: Parameters<Operations[O]>[0], seconds = timeLimitSeconds,
): Promise<ReturnType<Operations[O]>> {
  const run = await deps.processes.run({
    argv: [process.execPath, sqliteTool, JSON.stringify({ operation, ...input })], cwd: deps.config.home, marker: key,
    timeout_seconds: seconds, network: false, signal,
  });
  await rm(run.output_file, { force: true });
  if (run.timed_out) throw refused('SQLITE_TOOL_TIMEOUT', `${operation} took longer than ${seconds} s`);
  if (run.exit_code !== 0 || run.truncated) throw new Error(`${operation} ended with ${run.signal ?? `exit code ${run.exit_code}`} and no usable answer`);
  const answer = JSON.parse(run.stdout) as { result: ReturnType<Operations[O]> } | { code: string; message: string };
  if ('code' in answer) throw refused(answer.code, answer.message);
  return answer.result;
}

export interface Located { resource: SqliteResource; path: string }

/** The file behind the declared path, links followed: its WAL and journal lie beside that one. */
export async function located(tools: Pick<ActionTools, 'resource' | 'resource_id'>): Promise<Located> {
  const resource = resourceOf(tools, 'sqlite');
  return { resource, path: await realpath(resource.path).catch(() => resource.path) };
}

/** @throws drift when the plan is about another file than the one declared */
export async function planned(tools: Pick<ActionTools, 'resource' | 'resource_id'>, path: string): Promise<Located> {
  const found = await located(tools);
  if (found.path !== path) throw drift(`${found.resource.path} is ${found.path} now, not ${path}`);
  return found;
}

/** By its name alone; the file is not opened. */
export async function identityOfFile(path: string): Promise<FileIdentity | undefined> {
  const found = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found === undefined ? undefined : { device: String(found.dev), inode: String(found.ino) };
}

export const sameFile = (a: FileIdentity | undefined, b: FileIdentity): boolean => a?.device === b.device && a.inode === b.inode;
