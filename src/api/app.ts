/** The api: the visible list of plugins and routes. Tests call it too. */
import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { randomUUID } from 'node:crypto';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { jsonSchemaTransform, validatorCompiler } from 'fastify-type-provider-zod';
import { maxBodyBytes } from '../domain/schema/mission-package.ts';
import { startStream } from '../events/stream.ts';
import { version } from '../project.ts';
import { registerAuth } from './auth.ts';
import type { ApiDeps } from './context.ts';
import { pageOrNothing, registerDashboard } from './dashboard.ts';
import { registerJsonBody } from './json-body.ts';
import { answerBadBytes, sendProblem } from './problem.ts';
import { agentQueueRoutes } from './routes/agent-queue.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { artifactRoutes } from './routes/artifacts.ts';
import { capaRoutes } from './routes/capa.ts';
import { findingRoutes } from './routes/findings.ts';
import { governanceRoutes } from './routes/governance.ts';
import { ledgerRoutes } from './routes/ledger.ts';
import { metricRoutes } from './routes/metrics.ts';
import { batchRoutes } from './routes/batch.ts';
import { missionRoutes } from './routes/missions.ts';
import { patchRoutes } from './routes/patches.ts';
import { notificationRoutes } from './routes/notifications.ts';
import { observationRoutes } from './routes/observation.ts';
import { queueRoutes } from './routes/queues.ts';
import { registryRoutes } from './routes/registry.ts';
import { healingRoutes } from './routes/healing.ts';
import { sessionRoutes } from './routes/session.ts';
import { signalRoutes } from './routes/signals.ts';
import { healthRoutes, statusRoutes } from './routes/status.ts';
import { registerWebSocket, streamRoutes } from './routes/stream.ts';
import { templateRoutes } from './routes/templates.ts';
import { trackedRoutes } from './routes/tracked.ts';
import { workspaceRoutes } from './routes/workspaces.ts';
import { subsystemRoutes } from './routes/subsystems.ts';

const perKeyPerMinute = 6_000;
const perAddressPerMinute = 100;

export async function buildApp(parts: Omit<ApiDeps, 'stream'>): Promise<FastifyInstance> {
  const { config, database } = parts;
  if (config.databaseUrl === undefined) throw new Error('DATABASE_URL is not set: the live stream hears the database on a connection of its own');
  const deps: ApiDeps = { ...parts, stream: startStream(config.databaseUrl, database, config.stream, parts.logger) };
  const logger: FastifyBaseLogger = deps.logger;
  const app: FastifyInstance = Fastify({
    loggerInstance: logger, genReqId: () => randomUUID(), logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes, requestTimeout: 30_000, connectionTimeout: 60_000,
    // A client that keeps its connection open must not keep the process from stopping.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 300 },
    // What is refused before there is a route, or even a request.
    frameworkErrors: sendProblem, clientErrorHandler: answerBadBytes,
  });

  app.setValidatorCompiler(validatorCompiler);
  // Our own types vouch for answers; validating them again would cost a third of the throughput.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  registerJsonBody(app);
  app.setErrorHandler(sendProblem);

  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: { defaultSrc: ["'self'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'", 'data:'], fontSrc: ["'self'"], upgradeInsecureRequests: null },
    },
    strictTransportSecurity: false,
  });
  if (deps.config.corsOrigins.length > 0) await app.register(cors, { origin: [...deps.config.corsOrigins] });
  await app.register(cookie);
  await app.register(rateLimit, {
    // By the key that was proved, never by the one that was claimed: whoever has none shares the address's smaller allowance.
    keyGenerator: (request) => request.principal?.key_id ?? request.ip,
    max: (request) => (request.principal === null ? perAddressPerMinute : perKeyPerMinute),
    timeWindow: '1 minute',
    allowList: (request) => request.url === '/health/live' || request.url === '/health/ready',
  });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, pageOrNothing);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Mission Control', version, description: 'The control plane for autonomous software work.' },
      components: { securitySchemes: { api_key: { type: 'http', scheme: 'bearer', bearerFormat: 'mck_…' } } },
    },
    transform: jsonSchemaTransform,
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs', uiConfig: { deepLinking: true, tryItOutEnabled: false },
    // Swagger's own page styles itself inline; ours may not.
    transformStaticCSP: (policy) => policy.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'").replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
  });
  await registerWebSocket(app, deps);
  // Everything after this line names its permission; the pages before it are public.
  registerAuth(app, deps);

  await registerDashboard(app);
  app.get('/openapi.json', { config: { permission: 'public' }, schema: { hide: true } }, async () => app.swagger());
  await app.register(healthRoutes(deps));
  await app.register(async (scope) => {
    await scope.register(sessionRoutes(deps));
    await scope.register(streamRoutes(deps));
    await scope.register(statusRoutes(deps));
    await scope.register(subsystemRoutes(deps));
    await scope.register(findingRoutes(deps));
    await scope.register(signalRoutes(deps));
    await scope.register(missionRoutes(deps));
    await scope.register(batchRoutes(deps));
    await scope.register(templateRoutes(deps));
    await scope.register(observationRoutes(deps));
    await scope.register(approvalRoutes(deps));
    await scope.register(registryRoutes(deps));
    await scope.register(queueRoutes(deps));
    await scope.register(workspaceRoutes(deps));
    await scope.register(capaRoutes(deps));
    await scope.register(metricRoutes(deps));
    await scope.register(governanceRoutes(deps));
    await scope.register(agentQueueRoutes(deps));
    await scope.register(patchRoutes(deps));
    await scope.register(artifactRoutes(deps));
    await scope.register(ledgerRoutes(deps));
    await scope.register(healingRoutes(deps));
    await scope.register(notificationRoutes(deps));
  }, { prefix: '/mission-control' });
  await app.register(trackedRoutes(deps), { prefix: '/api' });
  return app;
}
