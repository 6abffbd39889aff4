/** The dashboard's files. Built beside the api into `dist/dashboard`; without a build the page says so and the api works on. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { dashboardFolder } from '../project.ts';
import { nothingThere, Problem } from './problem.ts';

/** Paths under these belong to machines: whatever is not there is a problem, never the page. */
const notPages = /^\/(mission-control|api|docs|health|assets|openapi\.json)(\/|$)/;

/** A person's browser opening an address of the page, which alone knows its pages. */
const opensPage = ({ method, url, headers }: FastifyRequest): boolean =>
  (method === 'GET' || method === 'HEAD') && !notPages.test(url.split('?')[0] ?? '') && (headers.accept ?? '').includes('text/html');

/** The page at every address that is nothing else's. */
export async function pageOrNothing(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (opensPage(request)) await sendPage(reply);
  else nothingThere(request, reply);
}

export async function registerDashboard(app: FastifyInstance): Promise<void> {
  await app.register(fastifyStatic, { root: join(dashboardFolder, 'assets'), serve: false, preCompressed: true });
  // Not counted: one opening of the page asks for a dozen files, and a whole office may share an address.
  const options = { config: { permission: 'public', rateLimit: false }, schema: { hide: true } } as const;
  app.get('/', options, (_request, reply) => sendPage(reply));
  app.get('/assets/*', options, (request, reply) =>
    // Their names carry a hash of what is in them.
    reply.sendFile((request.params as { '*': string })['*'], { immutable: true, maxAge: '365d' }));
}

/** Read at each opening: after a new build it names the new files. */
async function sendPage(reply: FastifyReply): Promise<void> {
  const html = await readFile(join(dashboardFolder, 'index.html'), 'utf8').catch(() => {
    throw new Problem(503, 'DASHBOARD_NOT_BUILT', 'the dashboard is not built: run `npm run build`; the API works without it');
  });
  await reply.code(200).type('text/html; charset=utf-8').header('cache-control', 'no-cache').serializer((text: unknown) => text as string).send(html);
}
