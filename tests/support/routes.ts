/** The api's own route table, read while it is being built. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Permission } from '../../src/domain/actor.ts';

export interface Route { method: string; url: string; permission: Permission | 'public' | undefined; options: RouteOptions }

/** Every route that `build` registers, in order; HEAD and OPTIONS of its own making included. */
export async function routesDuring<T>(build: () => Promise<T>): Promise<{ built: T; routes: Route[] }> {
  const seen: RouteOptions[] = [];
  const watch = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', (route) => { seen.push(route); });
  };
  subscribe('fastify.initialization', watch);
  try {
    const built = await build();
    const routes = seen.flatMap((options) => [options.method].flat().map((method) =>
      ({ method, url: options.url, permission: options.config?.permission, options })));
    return { built, routes };
  } finally {
    unsubscribe('fastify.initialization', watch);
  }
}

/** The route's URL with something in place of each parameter. */
export const filled = (url: string, value = 'nobody'): string => url.replaceAll(/:\w+/g, value);
