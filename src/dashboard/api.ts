/** The one way from the page to the API: JSON in, JSON out, and every refusal as a typed problem that can be shown. */

/** What the API answered instead of doing it (problem+json), or why there was no answer at all. */
export class ApiProblem extends Error {
  /** 0: nothing answered. */
  readonly status: number;
  readonly code: string;
  readonly errors: readonly { path: string; message: string }[];
  constructor(status: number, code: string, detail: string, errors: ApiProblem['errors'] = []) {
    super(detail);
    this.name = 'ApiProblem';
    this.status = status;
    this.code = code;
    this.errors = errors;
  }
}

const base = '/mission-control';
const patienceMs = 20_000;
let signedOut: () => void = () => undefined;

/** Called when the API no longer knows who we are. */
export function whenSignedOut(then: () => void): void {
  signedOut = then;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * @param path below `/mission-control`, with its query
 * @throws ApiProblem whatever goes wrong
 */
export async function call<T>(method: Method, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(`${base}${path}`, {
    method, credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(patienceMs),
    headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: Error) => {
    throw error.name === 'TimeoutError'
      ? new ApiProblem(0, 'TOO_SLOW', `no answer in ${patienceMs / 1_000} s; it may still happen, so look before trying again`)
      : new ApiProblem(0, 'UNREACHABLE', 'Mission Control does not answer; it may be restarting');
  });
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  const problem = await response.json().catch(() => ({})) as Partial<{ code: string; detail: string; errors: ApiProblem['errors'] }>;
  // A wrong key on the sign-in page is an answer, not the end of a session.
  if (response.status === 401 && path !== '/sign-in') signedOut();
  throw new ApiProblem(response.status, problem.code ?? 'ERROR', problem.detail ?? `the answer was ${response.status}`, problem.errors ?? []);
}

export const get = <T>(path: string): Promise<T> => call('GET', path);
export const post = <T>(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<T> => call('POST', path, body, headers);

/** The query part of a path; what is undefined, null or empty is left out. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}

/** A key for one intended effect: sent again with it, the effect does not happen twice. */
export const newIdempotencyKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

export const inPath = (id: string): string => encodeURIComponent(id);

/** Where the bytes of an artefact are; a link to it downloads. */
export const artifactPath = (sha256: string): string => `${base}/artifacts/${sha256}`;

/** An artefact as text. Only for those that are small enough to be shown. @throws ApiProblem */
export async function artifactText(sha256: string): Promise<string> {
  const response = await fetch(artifactPath(sha256), { credentials: 'same-origin', signal: AbortSignal.timeout(patienceMs) })
    .catch(() => { throw new ApiProblem(0, 'UNREACHABLE', 'Mission Control does not answer; it may be restarting'); });
  if (!response.ok) throw new ApiProblem(response.status, 'ARTIFACT_NOT_FOUND', `the artefact could not be read: ${response.status}`);
  return response.text();
}
