/** The cookie that stands for an API key in a browser, and what a request that carries it must show. */
import type { CookieSerializeOptions } from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from './problem.ts';

const cookieName = 'mission_control_session';

export const sessionTokenOf = (request: FastifyRequest): string | undefined => request.cookies[cookieName];

/** @param endsAt RFC 3339; the server ends an idle session before that */
export const giveCookie = (request: FastifyRequest, reply: FastifyReply, token: string, endsAt: string): void => {
  void reply.setCookie(cookieName, token, { ...flags(request), expires: new Date(endsAt) });
};

export const takeCookie = (request: FastifyRequest, reply: FastifyReply): void => { void reply.clearCookie(cookieName, flags(request)); };

const flags = (request: FastifyRequest): CookieSerializeOptions => ({
  httpOnly: true, sameSite: 'strict', path: '/',
  // Behind a proxy that ends TLS our own side is plain http; the page's origin tells.
  secure: request.protocol === 'https' || request.headers.origin?.startsWith('https://') === true,
});

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * A browser adds the cookie to whatever any page sends here; so what changes something must come from a page of ours.
 * SameSite alone does not do: pages of other ports of this host are the same site.
 * @throws Problem ORIGIN_REFUSED
 */
export function requireOwnPage(request: FastifyRequest): void {
  if (safeMethods.has(request.method) || isOwnPage(request)) return;
  throw new Problem(403, 'ORIGIN_REFUSED', 'a cookie signs in pages of this address only: send the Origin of one, or an API key');
}

/** Where the request says it comes from: a page of ours, somewhere else, or nothing at all. */
function isOwnPage(request: FastifyRequest): boolean {
  // Only a browser sets it, and no page can; it is right also where a proxy changed the Host.
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  return isSameOrigin(request.headers.origin, request.headers.host);
}

/** Hosts and ports are compared, not schemes: behind a proxy that ends TLS ours is another. */
export const isSameOrigin = (origin: string | undefined, host: string | undefined): boolean =>
  origin !== undefined && host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();

/**
 * Signing in carries no cookie yet, and a page elsewhere must not sign a visitor in as somebody else.
 * @throws Problem ORIGIN_REFUSED
 */
export function refuseForeignPage(request: FastifyRequest): void {
  if (request.headers.origin === undefined && request.headers['sec-fetch-site'] === undefined) return;
  requireOwnPage(request);
}
