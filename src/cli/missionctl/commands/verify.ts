/** `verify`: the ledger, or the export of a mission, held against keys and checkpoints. Asks no server. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { ledgerPaths } from '../../../home.ts';
import { checkLandings } from '../../../ledger/git-check.ts';
import { parseVkey, type Verifier } from '../../../ledger/note.ts';
import { verifyExport } from '../../../ledger/verify-export.ts';
import { exitCodeOf, verifyDatabase, type Pin, type Report } from '../../../ledger/verify-ledger.ts';
import { checkpointRef } from '../../../worker/checkpoints.ts';
import { say, sayJson } from '../answer.ts';
import { homeFolder, readRunFile } from '../connection.ts';
import { Ending, usageError, type ExitCode } from '../exit.ts';
import { safe } from '../safe-text.ts';

interface Options { key?: string[]; pin?: string[]; git?: string[]; json?: boolean }

const unverifiable = 4 as ExitCode;
/** Newest published checkpoints that are held against the ledger; older ones say nothing that these do not. */
const pinsTaken = 5_000;

export const verifyCommand = (): Command => new Command('verify')
  .description('verify the ledger of this data directory, or the export of a mission, offline')
  .argument('[export]', 'file from GET /missions/{id}/export; without it, the database of DATABASE_URL or of what runs in MISSION_CONTROL_HOME')
  .option('--key <vkey...>', 'a key of the log that you trust, as one line or a file with it; else that of the data directory')
  .option('--pin <file...>', 'a checkpoint that you kept; those that the data directory published are held against the database anyway')
  .option('--git <path...>', 'repositories that must hold what landed, with the trees that were proved')
  .option('--json', 'print the whole report as JSON')
  .addHelpText('after', `
Exit codes of verify:
  0   whole
  1   integrity: something is not what was sealed; the first bad seq is named
  2   completeness: something that must be there is not, or somebody did what they may not
  3   truncated: the ledger ends before a checkpoint that was signed
  4   cannot be told: no trusted key, no database, an unreadable file
  64  usage`)
  .action(async (file: string | undefined, options: Options) => {
    const keys = options.key?.map(readKey) ?? keysOfHome();
    const pins = (options.pin ?? []).map((path): Pin => ({ where: path, note: readText(path) }));
    const report = file === undefined
      ? await verifyDatabase(databaseUrl(), keys, [...pins, ...publishedPins()]).catch((error: Error) => { throw new Ending(unverifiable, `the database cannot be read: ${error.message}`); })
      : exported(file, keys, pins);
    if (options.git !== undefined) report.problems.push(...await checkLandings(report.landings, options.git));
    const code = exitCodeOf(report.problems);
    if (options.json) sayJson(JSON.stringify({ exit_code: code, ...report }));
    else say(page(report, keys));
    if (code !== 0) throw new Ending(code as ExitCode, verdicts[code]);
  });

const verdicts = {
  0: 'whole',
  1: 'NOT WHOLE: it is not what was sealed',
  2: 'INCOMPLETE: something that must be there is not, or somebody did what they may not',
  3: 'TRUNCATED: it ends before a checkpoint that was signed',
  4: 'CANNOT BE TOLD',
} as const;

function exported(file: string, keys: readonly Verifier[], pins: readonly Pin[]): Report {
  try {
    return verifyExport(JSON.parse(readText(file)), keys, pins);
  } catch (error) {
    if (error instanceof Ending) throw error;
    throw new Ending(unverifiable, `${file} cannot be read as an export: ${(error as Error).message}`);
  }
}

function page(report: Report, keys: readonly Verifier[]): string {
  const lines = [
    `log         ${safe(report.log_id ?? 'empty')}`,
    `records     ${report.records}${report.redacted > 0 ? `, ${report.redacted} redacted` : ''}${report.waiting > 0 ? `; ${report.waiting} events wait to be sealed` : ''}`,
    `root        ${report.root}`,
    `signed      ${report.signed_size === 0 ? 'not checked' : `up to ${report.signed_size}, by ${keys.map((key) => key.key_id).join(', ')}`}`,
    `pins        ${report.pins}`,
    `missions    ${report.missions.started} started, ${report.missions.ended} ended; ${report.landings.length} landings`,
  ];
  const shown = report.problems.slice(0, 20);
  for (const { code, seq, detail, expected, found } of shown) {
    lines.push('', `${code}${seq === null ? '' : `  seq ${seq}`}`, `  ${safe(detail)}`);
    if (expected !== undefined) lines.push(`  expected  ${safe(expected)}`);
    if (found !== undefined) lines.push(`  found     ${safe(found)}`);
  }
  if (report.problems.length > shown.length) lines.push('', `and ${report.problems.length - shown.length} more (--json)`);
  if (report.problems.length === 0) lines.push('', 'whole');
  return lines.join('\n');
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function readKey(text: string): Verifier {
  const line = existsSync(text) ? readText(text) : text;
  try {
    return parseVkey(line);
  } catch (error) {
    throw usageError(`--key: ${(error as Error).message}`);
  }
}

function keysOfHome(): Verifier[] {
  const { vkey } = ledgerPaths(homeFolder());
  return existsSync(vkey) ? [readKey(vkey)] : [];
}

function databaseUrl(): string {
  const named = process.env['DATABASE_URL'];
  if (named) return named;
  const run = readRunFile();
  if (run === undefined) throw new Ending(unverifiable, `nothing runs in ${homeFolder()}: set DATABASE_URL, or start it, or name an export`);
  return readText(run.database_url_file).trim();
}

/** What left the database: the file's newest lines, and the head of the ref. */
function publishedPins(): Pin[] {
  const { checkpoints, repository } = ledgerPaths(homeFolder());
  const lines = existsSync(checkpoints) ? readText(checkpoints).trimEnd().split('\n').slice(-pinsTaken) : [];
  const pins = lines.flatMap((line): Pin[] => {
    // The last line may be half written when the worker was killed.
    try {
      const { note } = JSON.parse(line) as { note?: unknown };
      return typeof note === 'string' ? [{ where: checkpoints, note }] : [];
    } catch {
      return [];
    }
  });
  if (existsSync(repository)) {
    try {
      pins.push({ where: `${repository} ${checkpointRef}`, note: execFileSync('git', [`--git-dir=${repository}`, 'cat-file', 'blob', `${checkpointRef}:checkpoint`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }) });
    } catch {
      // Nothing was published there yet.
    }
  }
  return pins;
}
