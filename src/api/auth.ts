/** Who is calling, and whether they may. Every route names its permission; a route that names none does not start. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { holds, permissions, type Permission, type Principal } from '../domain/actor.ts';
import { authenticate } from '../store/keys.ts';
import { findSession, type Session } from '../store/sessions.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';
import { requireOwnPage, sessionTokenOf } from './session-cookie.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must hold; `public` for the few routes that anybody may call. */
    permission?: Permission | 'public';
    /** A header whose presence says that the body is signed: the route proves that instead of a key. */
    provenBy?: string;
  }
  interface FastifyRequest {
    /** Null until the caller has proved a key, and on public routes. */
    principal: Principal;
    /** The browser session that spoke for the key; null when the key itself was sent. */
    session: Session | null;
  }
}

export function registerAuth(app: FastifyInstance, { database, pepper }: Pick<ApiDeps, 'database' | 'pepper'>): void {
  app.decorateRequest('principal', null as unknown as Principal);
  app.decorateRequest('session', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.permission === undefined) throw new Error(`${String(route.method)} ${route.url} names no permission`);
    if (route.config.permission === 'public') return;
    route.schema = {
      ...route.schema, security: [{ api_key: [] }],
      description: [route.schema?.description, `Needs \`${route.config.permission}\`: ${permissions[route.config.permission].join(', ')}.`]
        .filter((part) => part !== undefined).join('\n\n'),
    };
  });
  const countAgainstAddress = app.createRateLimit();
  app.addHook('onRequest', async (request) => {
    if (request.is404) return;
    const permission = request.routeOptions.config.permission;
    if (permission === 'public' || permission === undefined) return;
    const { provenBy } = request.routeOptions.config;
    if (provenBy !== undefined && request.headers[provenBy] !== undefined && request.headers.authorization === undefined) return;
    try {
      await signIn(request, database, pepper);
    } catch (error) {
      // A database that is down proves nothing about the caller.
      if (!(error instanceof Problem)) throw error;
      // Refused here, the request never comes to its route's own limit.
      const limit = await countAgainstAddress(request);
      if (!limit.isAllowed && limit.isExceeded) throw tooMany(limit.ttlInSeconds);
      throw error;
    }
    if (!holds(request.principal.role, permission)) {
      throw new Problem(403, 'FORBIDDEN', `this needs ${permission}, which ${request.principal.role} does not hold`);
    }
  });
}

const tooMany = (seconds: number): Problem =>
  new Problem(429, 'RATE_LIMITED', `too many requests without a valid key; try again in ${seconds} s`, [], { 'retry-after': String(seconds) });

const challenge = { 'www-authenticate': 'Bearer' };

/**
 * Proves who is calling, or throws why not. A header says more than a cookie, which browsers add by themselves.
 * @throws Problem AUTH_REQUIRED, KEY_INVALID, SESSION_ENDED, ORIGIN_REFUSED
 */
export async function signIn(request: FastifyRequest, database: ApiDeps['database'], pepper: Buffer): Promise<void> {
  const { authorization } = request.headers;
  const token = sessionTokenOf(request);
  if (authorization === undefined && token === undefined) {
    throw new Problem(401, 'AUTH_REQUIRED', 'send an API key: Authorization: Bearer mck_…', [], challenge);
  }
  if (authorization === undefined) return signInByCookie(request, token!, database, pepper);
  const key = /^Bearer (\w{1,200})$/i.exec(authorization)?.[1];
  const principal = key === undefined ? undefined : await authenticate(database, pepper, key);
  if (principal === undefined) {
    throw new Problem(401, 'KEY_INVALID', 'the API key is unknown, expired or revoked', [], challenge);
  }
  request.principal = principal;
}

async function signInByCookie(request: FastifyRequest, token: string, database: ApiDeps['database'], pepper: Buffer): Promise<void> {
  const found = await findSession(database.query, pepper, token);
  if (found === undefined) throw new Problem(401, 'SESSION_ENDED', 'the session has ended, or its API key has; sign in again', [], challenge);
  requireOwnPage(request);
  request.principal = found.principal;
  request.session = found.session;
}
