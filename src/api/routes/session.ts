/** Signing in with a browser: an API key or a one-use code becomes a cookie. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { permissionsOf, principalKinds, roles, type Principal } from '../../domain/actor.ts';
import { text } from '../../domain/schema/text.ts';
import { authenticate, keyById } from '../../store/keys.ts';
import { addSignInCode, endSession, signInWithCode, signInWithKey } from '../../store/sessions.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers } from '../schemas.ts';
import { giveCookie, refuseForeignPage, takeCookie } from '../session-cookie.ts';

const principalSchema = z.object({ id: z.string(), kind: z.enum(principalKinds), role: z.enum(roles), key_id: z.string(), name: z.string() });
const sessionSchema = z.object({ principal: principalSchema, permissions: z.array(z.string()), expires_at: z.iso.datetime().nullable() });

export const sessionRoutes = ({ database, pepper }: Pick<ApiDeps, 'database' | 'pepper'>): FastifyPluginAsyncZod => async (app) => {
  app.post('/sign-in', {
    config: { permission: 'public' },
    schema: {
      tags: ['session'], summary: 'Exchange a one-use code or an API key for a session cookie',
      body: z.strictObject({ code: text(200).optional(), api_key: text(200).optional() })
        .refine(({ code, api_key }) => (code === undefined) !== (api_key === undefined), { path: ['code'], message: 'send either code or api_key' }),
      response: answers(200, sessionSchema),
    },
  }, async (request, reply) => {
    refuseForeignPage(request);
    const { code, api_key } = request.body;
    const session = code === undefined ? await withKey(api_key!) : await signInWithCode(database, pepper, code);
    if (session === undefined) {
      throw code === undefined
        ? new Problem(401, 'KEY_INVALID', 'the API key is unknown, expired or revoked')
        : new Problem(401, 'CODE_INVALID', 'the sign-in code is unknown, used or too old; `missionctl open` makes another');
    }
    giveCookie(request, reply, session.token, session.ends_at);
    reply.header('cache-control', 'no-store');
    return inWords(session.principal, session.expires_at);
  });

  const withKey = async (key: string) => {
    const principal = await authenticate(database, pepper, key.trim());
    return principal === undefined ? undefined : signInWithKey(database, pepper, principal);
  };

  const inWords = async (principal: Principal, expires_at: string | null) => {
    const key = await keyById(database, principal.key_id);
    return { principal: { ...principal, name: key?.name ?? '' }, permissions: permissionsOf(principal), expires_at };
  };

  app.get('/session', {
    config: { permission: 'session:own' },
    schema: { tags: ['session'], summary: 'Who is calling, and what they may do', response: answers(200, sessionSchema) },
  }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const { principal, session } = request;
    return inWords(principal, session === null ? (await keyById(database, principal.key_id))?.expires_at ?? null : session.expires_at);
  });

  app.delete('/session', {
    config: { permission: 'session:own' },
    schema: { tags: ['session'], summary: 'Sign out', response: answers(200, z.object({ signed_out: z.literal(true) })) },
  }, async (request, reply) => {
    if (request.session === null) throw new Problem(409, 'NO_SESSION', 'an API key has no session to end; revoke the key instead');
    await endSession(database, request.session.session_id, request.principal);
    takeCookie(request, reply);
    return { signed_out: true as const };
  });

  app.post('/sign-in-codes', {
    config: { permission: 'session:own' },
    schema: {
      tags: ['session'], summary: 'A link that signs a browser in as the caller, once, within ten minutes',
      body: z.strictObject({}).nullish(),
      response: answers(201, z.object({ code: z.string(), url: z.string(), expires_at: z.iso.datetime() })),
    },
  }, async (request, reply) => {
    // A browser that was left open must not hand out more of itself.
    if (request.session !== null) throw new Problem(403, 'KEY_REQUIRED', 'a sign-in link is made with an API key, not with a session');
    const { code, expires_at } = await addSignInCode(database.query, pepper, request.principal.key_id);
    reply.code(201).header('cache-control', 'no-store');
    // Behind the #: no server, proxy or log ever gets to see that part.
    return { code, url: `${request.protocol}://${request.host}/sign-in#${code}`, expires_at };
  });
};
