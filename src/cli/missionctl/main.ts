/** Process: `missionctl`. Runs one command and ends with a documented exit code. */
import { CommanderError } from 'commander';
import { ApiError, ApiUnreachable } from '../client.ts';
import { sayJson } from './answer.ts';
import { unreachableHint } from './connection.ts';
import { exitCodeOf, exitCodes } from './exit.ts';
import { createProgram } from './program.ts';
import { safeLines } from './safe-text.ts';

// `missionctl … | head -1`: whoever read has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const args = process.argv.slice(2);
try {
  await createProgram().parseAsync(args, { from: 'user' });
} catch (error) {
  process.exitCode = error instanceof CommanderError ? endOfCommander(error) : exitCodeOf(error);
  if (!(error instanceof CommanderError)) explain(error as Error);
}

/** Help and version end well; everything else that commander throws is a mistake in the arguments. */
function endOfCommander(error: CommanderError): number {
  if (error.exitCode === 0) return exitCodes.ok;
  // Help was printed in place of a message: no command was named.
  if (error.code !== 'commander.help') complain(`${error.message.replace(/^error: /, '')}\nSee missionctl --help.`);
  return exitCodes.usage;
}

function explain(error: Error): void {
  if (error instanceof ApiError) {
    // What a proxy in between says is no JSON of the API's.
    if (args.includes('--json') && error.text.startsWith('{')) sayJson(error.text);
    // The detail repeats the first few fields; the list has them all.
    complain(error.errors.some(({ message }) => error.message.includes(message)) ? `${error.code}:` : error.message);
    for (const { path, message } of error.errors) complain(`  ${path}: ${message}`);
    if (error.requestId !== null && error.status >= 500) complain(`  request ${error.requestId}`);
  } else if (error instanceof ApiUnreachable) complain(`${error.message}. ${unreachableHint()}`);
  else if (exitCodeOf(error) === exitCodes.failed && error.name !== 'Ending') complain(`this is a mistake of missionctl: ${error.stack ?? error.message}`);
  else complain(error.message);
}

/** Messages may hold what somebody else wrote, and what was typed: no escapes, and no key. */
function complain(text: string): void {
  for (const line of safeLines(text)) process.stderr.write(`${line.replace(/mck_\w+/g, 'mck_…')}\n`);
}
