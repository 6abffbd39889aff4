/** How the tool ends, for scripts: documented in `--help` and docs/missionctl.md. */
import { ApiError, ApiUnreachable } from '../client.ts';

export const exitCodes = {
  ok: 0,
  /** The mission, or the command, came to nothing. */
  failed: 1,
  /** The API said no (4xx): asking again the same way gets the same answer. */
  refused: 2,
  /** Nobody answers, or the API cannot now (5xx): nothing is wrong with what was asked. */
  unavailable: 3,
  usage: 64,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitCodesHelp = `
Exit codes:
  0   it is done; for watch: the mission is resolved
  1   the mission, or the command, failed
  2   refused by the API (4xx): wrong input, not allowed, or not in this state
  3   not available: nothing runs there, no connection, or the API cannot now (5xx)
  64  usage: an argument, an option or an input file is not as the help says`;

/** An end that is said in one message. */
export class Ending extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'Ending';
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): Ending => new Ending(exitCodes.usage, message);

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Ending) return error.exitCode;
  if (error instanceof ApiUnreachable) return exitCodes.unavailable;
  if (error instanceof ApiError) return error.status >= 500 || error.status === 429 ? exitCodes.unavailable : exitCodes.refused;
  return exitCodes.failed;
}
