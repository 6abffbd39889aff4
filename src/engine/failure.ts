/** The one place where what went wrong becomes a typed failure the workflow can decide on. */
import { ApplicationFailure } from '@temporalio/common';
import { permanentFailures, type FailureCode } from '../domain/failure.ts';

/** A failure with a code; permanent ones are not retried by Temporal but park the mission for a person. */
export const failure = (code: FailureCode, message: string, permanent = permanentFailures.includes(code)): ApplicationFailure =>
  ApplicationFailure.create({ type: code, message, nonRetryable: permanent });

export const hasCode = (error: unknown, code: FailureCode): error is ApplicationFailure =>
  error instanceof ApplicationFailure && error.type === code;

/** Names what the operating system refused; everything else keeps its own words. */
export function toFailure(error: unknown): unknown {
  if (error instanceof ApplicationFailure) return error;
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT' || /No space left on device/.test(message ?? '')) {
    return failure('DISK_FULL', `no space left${path ? ` at ${path}` : ''}: ${message}`);
  }
  if (code === 'ENOENT' && (error as { syscall?: string }).syscall?.startsWith('spawn')) {
    return failure('TOOL_MISSING', `${(error as { path?: string }).path} is not installed on this host`);
  }
  return error;
}
