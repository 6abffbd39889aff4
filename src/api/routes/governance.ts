/** Who may do what next, and why: policy, trust, signing keys. */
import picomatch from 'picomatch';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { severities } from '../../domain/mission.ts';
import { ruleOnApproval } from '../../domain/policy.ts';
import { policySchema } from '../../domain/schema/policy.ts';
import { text } from '../../domain/schema/text.ts';
import { trustOf } from '../../domain/trust.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { isUniqueViolation } from '../../store/database.ts';
import { readPolicy } from '../../store/policy.ts';
import { addSigningKey, ed25519Key, listSigningKeys } from '../../store/signing-keys.ts';
import { knownAgents, outcomesOf } from '../../store/trust.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers, limitQuery, listOf } from '../schemas.ts';

const trustSchema = z.object({
  agent_id: z.string(), score: z.number(), mean: z.number(), evidence: z.number(),
  inputs: z.array(z.looseObject({ mission_id: z.string(), outcome: z.string(), at: z.string(), weight: z.number(), says: z.string() })),
});
const signingKeySchema = z.object({ key_id: z.string(), principal_id: z.string(), public_key: z.string(), created_at: z.string() });
const agentId = text(200);

export const governanceRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, config } = deps;
  const trust = async (id: string) => trustOf(id, await outcomesOf(database.query, id), Date.now());

  app.get('/policy', {
    config: { permission: 'policy:read' },
    schema: {
      tags: ['governance'], summary: 'The policy as it is read now, and the digest that decisions are bound to',
      response: answers(200, z.object({ policy_digest: z.string(), policy: policySchema })),
    },
  }, async () => {
    const policy = await readPolicy(config.configFolder);
    return { policy_digest: digestOf(policy), policy };
  });

  app.post('/policy/check', {
    config: { permission: 'policy:read' },
    schema: {
      tags: ['governance'], summary: 'Which rules would decide about such a change, and why',
      body: z.strictObject({
        severity: z.enum(severities), requires_governance_approval: z.boolean().default(true),
        paths: z.array(text(4_000)).max(5_000).default([]),
        vanished_tests: z.array(text(10_000)).max(200).default([]),
        flaky_tests: z.array(text(10_000)).max(200).default([]),
      }),
      response: answers(200, z.object({
        policy_digest: z.string(), required_approvals: z.number().int(), automatic: z.boolean(), rules: z.array(z.string()),
        protected_paths: z.array(z.string()),
      })),
    },
  }, async (request) => {
    const policy = await readPolicy(config.configFolder);
    const isProtected = picomatch(policy.protected_paths, { dot: true });
    const touched = request.body.paths.filter((path) => isProtected(path));
    const { required, rules } = ruleOnApproval(policy, {
      severity: request.body.severity, requested: request.body.requires_governance_approval,
      touched_protected_paths: touched, vanished_tests: request.body.vanished_tests, flaky_tests: request.body.flaky_tests,
    });
    return { policy_digest: digestOf(policy), required_approvals: required, automatic: required === 0, rules, protected_paths: touched };
  });

  app.get('/trust-scores', {
    config: { permission: 'trust:read' },
    schema: { tags: ['governance'], summary: 'Trust of every agent with a history', querystring: z.strictObject({ limit: limitQuery }), response: answers(200, listOf(trustSchema)) },
  }, async (request) => ({
    items: await Promise.all((await knownAgents(database.query, request.query.limit)).map(trust)), next_cursor: null,
  }));

  app.get('/trust-scores/:agent_id', {
    config: { permission: 'trust:read' },
    schema: { tags: ['governance'], summary: 'One agent\'s trust, explained by its outcomes', params: z.strictObject({ agent_id: agentId }), response: answers(200, trustSchema) },
  }, async (request) => trust(request.params.agent_id));

  app.get('/signing-keys', {
    config: { permission: 'key:manage' },
    schema: { tags: ['keys'], summary: 'Public keys that mission packages are signed with', response: answers(200, listOf(signingKeySchema)) },
  }, async () => ({ items: await listSigningKeys(database), next_cursor: null }));

  app.post('/signing-keys', {
    config: { permission: 'key:manage' },
    schema: {
      tags: ['keys'], summary: 'Register an Ed25519 public key that mission packages are signed with',
      body: z.strictObject({ principal_id: agentId, public_key: text(2_000) }),
      response: answers(201, signingKeySchema),
    },
  }, async (request, reply) => {
    const publicKey = ed25519Key(request.body.public_key);
    if (publicKey === undefined) {
      throw new Problem(422, 'KEY_UNUSABLE', 'public_key is no Ed25519 public key in PEM', [{ path: 'public_key', message: 'not Ed25519 in PEM' }]);
    }
    try {
      const key = await addSigningKey(database, request.body.principal_id, publicKey, request.principal);
      reply.code(201);
      return key;
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new Problem(409, 'KEY_EXISTS', 'this public key is registered', [{ path: 'public_key', message: 'registered' }]);
    }
  });
};
