/** Errors as `application/problem+json` (RFC 9457): a stable code, what happened, to what, and what to do next. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';

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
  409: 'Conflict', 413: 'Too large', 415: 'Unsupported media type', 422: 'Cannot be done', 429: 'Too many requests',
  431: 'Headers too large', 500: 'Internal error', 503: 'Not available',
};

/** One error handler for everything: guards throw, this answers. A 5xx shows an id, never a stack. */
export function registerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500) request.log.error({ event: 'request.failed', code: problem.code, err: error });
    return send(request, reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    send(request, reply, new Problem(404, 'NOT_FOUND', `there is nothing at ${request.method} ${request.url.split('?')[0]}`)));
}

function send(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const body = {
    type: `urn:mission-control:problem:${problem.code.toLowerCase()}`, title: titles[problem.status] ?? 'Error',
    status: problem.status, code: problem.code, detail: problem.message, errors: problem.errors, request_id: request.id,
  };
  return reply.code(problem.status).headers(problem.headers).type('application/problem+json').serializer(JSON.stringify).send(body);
}

/** The one mapping from what was thrown to what the caller sees. */
export function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.flatMap((issue) => fieldErrors(issue as unknown as Issue));
    const unknown = error.validation.some((issue) => issue.keyword === 'unrecognized_keys');
    return new Problem(400, unknown ? 'UNKNOWN_FIELD' : 'INVALID_REQUEST', describe(errors), errors);
  }
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE': return new Problem(415, 'UNSUPPORTED_MEDIA_TYPE', 'send application/json');
    case 'FST_ERR_CTP_BODY_TOO_LARGE': return new Problem(413, 'BODY_TOO_LARGE', 'a body may have at most 2 MiB');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY': return new Problem(400, 'INVALID_JSON', 'the body is empty; send a JSON object');
    case 'FST_ERR_CTP_INVALID_JSON_BODY': return new Problem(400, 'INVALID_JSON', error.message);
    default: break;
  }
  if (isDatabaseDown(error)) {
    return new Problem(503, 'DATABASE_UNAVAILABLE', 'PostgreSQL does not answer; try again', [], { 'retry-after': '1' });
  }
  const status = error.statusCode ?? 500;
  if (status === 429) return new Problem(429, 'RATE_LIMITED', error.message);
  if (status >= 400 && status < 500) return new Problem(status, 'INVALID_REQUEST', error.message);
  return new Problem(500, 'INTERNAL_ERROR', 'this is our mistake; the log has the request id');
}

interface Issue { keyword: string; instancePath: string; message: string; params: { issue?: { keys?: string[] } } }

function fieldErrors(issue: Issue): FieldError[] {
  const path = issue.instancePath.replace(/^\//, '').replaceAll('/', '.');
  const keys = issue.params.issue?.keys;
  if (issue.keyword !== 'unrecognized_keys' || keys === undefined) return [{ path, message: issue.message }];
  return keys.map((key) => ({ path: path === '' ? key : `${path}.${key}`, message: 'unknown field' }));
}

const describe = (errors: readonly FieldError[]): string =>
  errors.slice(0, 3).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');

/** Connection refused, reset, timed out; SQLSTATE 57P01–57P03 (shutting down, starting up), 08xxx (connection). */
function isDatabaseDown(error: FastifyError & { cause?: unknown }): boolean {
  const codes = [error.code, (error.cause as { code?: string } | undefined)?.code].filter((code) => code !== undefined);
  return codes.some((code) => ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', '57P01', '57P02', '57P03', 'P1001', 'P1017'].includes(code) || code.startsWith('08')) ||
    /Connection terminated|timeout exceeded when trying to connect|Can't reach database server|ECONNREFUSED/.test(error.message);
}
