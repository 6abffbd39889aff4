/** A small client of our own HTTP API. Problems become errors that read well on a terminal. */
export interface ApiClient {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown, headers?: Record<string, string>): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  /** The same requests, with the answer's own bytes beside what they mean. */
  send<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>>;
}

export interface Answer<T> {
  /** As it came over the wire. */
  text: string;
  body: T;
}

export interface FieldError { path: string; message: string }

/** The API answered, and the answer is no. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: readonly FieldError[];
  readonly requestId: string | null;
  /** The problem as it came over the wire. */
  readonly text: string;
  constructor(status: number, text: string) {
    const problem = parsed(text) as Partial<Problem> | undefined;
    const code = problem?.code ?? `HTTP_${status}`;
    super(`${code}: ${problem?.detail ?? 'the answer is not one of Mission Control\'s'}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.errors = Array.isArray(problem?.errors) ? problem.errors : [];
    this.requestId = problem?.request_id ?? null;
    this.text = text;
  }
}

/** Nobody answered: nothing listens there, the connection broke, or it took too long. Whether anything happened is not known. */
export class ApiUnreachable extends Error {
  constructor(url: string, error: Error & { cause?: unknown }) {
    const cause = error.cause instanceof Error ? error.cause : error;
    const { code } = cause as NodeJS.ErrnoException;
    // A DOMException's code is a number that says nothing to anybody.
    super(`${url} does not answer: ${typeof code === 'string' ? code : cause.message}`, { cause: error });
    this.name = 'ApiUnreachable';
  }
}

interface Problem { code: string; detail: string; errors: FieldError[]; request_id: string }

const timeoutMs = 15_000;

export function createClient(url: string, key: string): ApiClient {
  async function send<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
    const { status, ok, text } = await exchange(url, path, {
      method, signal: AbortSignal.timeout(timeoutMs),
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!ok) throw new ApiError(status, text);
    const answer = parsed(text);
    if (answer === undefined) throw new ApiError(502, text);
    return { text, body: answer as T };
  }
  const bodyOf = async <T>(answer: Promise<Answer<T>>): Promise<T> => (await answer).body;
  return {
    url, send,
    get: (path) => bodyOf(send('GET', path)),
    post: (path, body, headers) => bodyOf(send('POST', path, body, headers)),
    put: (path, body) => bodyOf(send('PUT', path, body)),
  };
}

async function exchange(url: string, path: string, request: RequestInit): Promise<{ status: number; ok: boolean; text: string }> {
  try {
    const response = await fetch(`${url}${path}`, request);
    return { status: response.status, ok: response.ok, text: await response.text() };
  } catch (error) {
    throw new ApiUnreachable(url, error as Error);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
