/** Errors as `application/problem+json` (RFC 9457): a stable code, what happened, to what, and what to do next. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { branchRule, commitRule } from '../domain/branch.ts';

export interface FieldError { path: string; message: string }

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: FieldError[];
  readonly headers: Record<string, string>;
  constructor(status: number, code: string, detail: string, errors: FieldError[] = [], headers: Record<string, string> = {}) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.errors = errors;
    this.headers = headers;
  }
}

export const problemSchema = z.object({
  type: z.string(), title: z.string(), status: z.number().int(), code: z.string(), detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })), request_id: z.string(),
}).describe('application/problem+json');

const titles: Record<number, string> = {
  400: 'Bad request', 401: 'Not signed in', 403: 'Not allowed', 404: 'Not found', 405: 'Method not allowed', 408: 'Too slow',
  409: 'Conflict', 413: 'Too large', 414: 'Address too long', 415: 'Unsupported media type', 422: 'Cannot be done', 426: 'Upgrade required', 429: 'Too many requests',
  431: 'Headers too large', 500: 'Internal error', 503: 'Not available', 507: 'No space left',
};

/** One error handler for everything: guards throw, this answers. A 5xx shows an id, never a stack. */
export function sendProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(error);
  if (problem.status >= 500) request.log.error({ event: 'request.failed', code: problem.code, err: error });
  void reply.code(problem.status).headers(problem.headers).type(mediaType).serializer(JSON.stringify).send(bodyOf(problem, request.id));
}

export function nothingThere(request: FastifyRequest, reply: FastifyReply): void {
  const problem = new Problem(404, 'NOT_FOUND', `there is nothing at ${request.method} ${request.url.split('?')[0]}`);
  void reply.code(404).type(mediaType).serializer(JSON.stringify).send(bodyOf(problem, request.id));
}

/** Bytes that are no request: answered on the bare socket, which is closed. */
export function answerBadBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const problem = badBytes[error.code ?? ''] ?? new Problem(400, 'INVALID_REQUEST', 'this is not an HTTP request we can read');
  const body = JSON.stringify(bodyOf(problem, randomUUID()));
  if (socket.writable) {
    socket.write(`HTTP/1.1 ${problem.status} ${titles[problem.status]}\r\nConnection: close\r\nContent-Type: ${mediaType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroy(error);
}

const badBytes: Record<string, Problem> = {
  ERR_HTTP_REQUEST_TIMEOUT: new Problem(408, 'REQUEST_TIMEOUT', 'the request did not arrive in time'),
  HPE_HEADER_OVERFLOW: new Problem(431, 'HEADERS_TOO_LARGE', 'the headers are larger than 16 KiB'),
};

const mediaType = 'application/problem+json';

const bodyOf = (problem: Problem, requestId: string): z.infer<typeof problemSchema> => ({
  type: `urn:mission-control:problem:${problem.code.toLowerCase()}`, title: titles[problem.status] ?? 'Error',
  status: problem.status, code: problem.code, detail: problem.message, errors: problem.errors.slice(0, maxErrors), request_id: requestId,
});

/** A hostile body can break a rule a million times; nobody reads more than these. */
const maxErrors = 50;

/** The one mapping from what was thrown to what the caller sees. */
export function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.flatMap((issue) => fieldErrors(issue as unknown as Issue));
    return new Problem(400, codeOf(errors), describe(errors), errors);
  }
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE': return new Problem(415, 'UNSUPPORTED_MEDIA_TYPE', 'send application/json');
    case 'FST_ERR_CTP_BODY_TOO_LARGE': return new Problem(413, 'BODY_TOO_LARGE', 'the body is larger than is taken here: 2 MiB of JSON, 1 MiB of diff, 64 MiB of bundle');
    case 'FST_ERR_BAD_URL': return new Problem(400, 'INVALID_REQUEST', 'the address is not validly percent-encoded');
    case 'FST_ERR_MAX_PARAM_LENGTH': return new Problem(414, 'INVALID_REQUEST', 'a part of the address is too long');
    default: break;
  }
  if (isDatabaseDown(error)) {
    return new Problem(503, 'DATABASE_UNAVAILABLE', 'PostgreSQL does not answer; try again', [], { 'retry-after': '1' });
  }
  if (isDatabaseBusy(error)) {
    return new Problem(503, 'DATABASE_BUSY', 'PostgreSQL is too busy for this now; nothing was changed, try again', [], { 'retry-after': '1' });
  }
  if (isDiskFull(error)) return new Problem(507, 'DISK_FULL', `no space left${fullAt(error)}; nothing was changed. Free some, then try again`);
  const status = error.statusCode ?? 500;
  if (status === 429) return new Problem(429, 'RATE_LIMITED', error.message);
  if (status >= 400 && status < 500) return new Problem(status, 'INVALID_REQUEST', error.message);
  return new Problem(500, 'INTERNAL_ERROR', 'this is our mistake; the log has the request id');
}

const unknownField = 'unknown field';

function codeOf(errors: readonly FieldError[]): string {
  if (errors.some(({ message }) => message === unknownField)) return 'UNKNOWN_FIELD';
  return errors.every(({ message }) => message === branchRule || message === commitRule) ? 'GIT_REF_INVALID' : 'INVALID_REQUEST';
}

interface Issue { keyword: string; instancePath: string; message: string; params: { keys?: string[]; errors?: ZodIssue[][] } }
type ZodIssue = z.core.$ZodIssue;

function fieldErrors({ keyword, instancePath, message, params }: Issue): FieldError[] {
  const path = instancePath.split('/').filter((part) => part !== '');
  return fieldErrorsOf({ code: keyword, path, message, ...params } as unknown as ZodIssue);
}

function fieldErrorsOf(issue: ZodIssue): FieldError[] {
  const at = (...more: PropertyKey[]): string => [...issue.path, ...more].map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.slice(0, maxErrors).map((key) => ({ path: at(key), message: unknownField }));
  if (issue.code === 'invalid_union') {
    // Of several forms the caller meant the one whose shape it has; only that one's complaints are of use.
    const meant = issue.errors.filter((issues) => !issues.some(({ code, path }) => path.length === 0 && ['invalid_type', 'invalid_value', 'custom'].includes(code)));
    if (meant.length === 1) return meant[0]!.flatMap((inner) => fieldErrorsOf({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [{ path: at(), message: issue.message }];
}

const describe = (errors: readonly FieldError[]): string =>
  errors.slice(0, 3).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');

/** Connection refused, reset, timed out; SQLSTATE 57P01–57P03 (shutting down, starting up), 08xxx (connection). */
function isDatabaseDown(error: FastifyError & { cause?: unknown }): boolean {
  const codes = [error.code, (error.cause as { code?: string } | undefined)?.code].filter((code) => code !== undefined);
  return codes.some((code) => ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P01', '57P02', '57P03', 'P1001', 'P1017'].includes(code) || code.startsWith('08')) ||
    // Prisma hands the server's SQLSTATE on in its text only.
    /Code: `(57P0[123]|08\w{3})`|Connection terminated|Query read timeout|encountered a connection error|timeout exceeded when trying to connect|Can't reach database server|ECONNREFUSED/.test(error.message);
}

/** Its own SQLSTATE, or the one that Prisma hands on in its text only. */
const hasState = (error: FastifyError & { cause?: unknown }, states: readonly string[]): boolean =>
  states.some((state) => error.code === state || (error.cause as { code?: string } | undefined)?.code === state || error.message.includes(`Code: \`${state}\``));

/** Still in conflict after every try (40001, 40P01; Prisma's P2034), or no connection left (53300; P2037). */
const isDatabaseBusy = (error: FastifyError): boolean =>
  hasState(error, ['40001', '40P01', '53300', 'P2034', 'P2037']) || /sorry, too many clients already|remaining connection slots are reserved/.test(error.message);

const isDiskFull = (error: FastifyError): boolean =>
  hasState(error, ['53100', 'ENOSPC', 'EDQUOT']) || error.message.includes('No space left on device');

/** Which store: its folder's name says enough, the whole path is nobody's business. */
function fullAt(error: FastifyError & { path?: string }): string {
  if (error.code === '53100') return ' for PostgreSQL';
  const folder = /(artifacts|mirrors|scratch|worktrees|repositories)/.exec(error.path ?? error.message)?.[1];
  return folder === undefined ? '' : ` in ${folder}/ of the data directory`;
}
