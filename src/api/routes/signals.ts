/** Signals from outside: webhooks that are signed, and symptoms posted with a key. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  alertmanagerSchema, genericSignalsSchema, grafanaSchema, maxSignalBytes, type genericSignalSchema,
} from '../../domain/schema/signal.ts';
import { ownSubsystems } from '../../domain/own-subsystems.ts';
import { signalOfAlert, type Signal, type SignalSender, type SignalSource, type WebhookAlert } from '../../domain/signal.ts';
import { storable } from '../../store/json.ts';
import { takeSignals } from '../../store/signals.ts';
import { findSignalSource } from '../../store/signal-sources.ts';
import { readSubsystems } from '../../store/subsystems.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers, idText } from '../schemas.ts';
import { proveSignature, signatureHeader } from '../webhook-signature.ts';

const takenSchema = z.object({
  accepted: z.number().int(), findings: z.array(z.object({ fingerprint: z.string(), finding_id: z.string().nullable(), state: z.string().nullable() })),
});
const tags = ['signals'];

export const signalRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.decorateRequest('webhook', null);

  async function take(signals: readonly Signal[], sender: SignalSender, signatureDigest: string | null) {
    const dependencies = [...ownSubsystems, ...await readSubsystems(deps.config.configFolder)];
    const findings = await takeSignals(deps.database, signals, sender, dependencies, signatureDigest);
    if (findings === undefined) {
      throw new Problem(401, 'SIGNATURE_REPLAYED', 'this signature was taken before; sign each message anew', [{ path: signatureHeader, message: 'taken before' }]);
    }
    return { accepted: signals.length, findings };
  }

  app.post('/signals', {
    config: { permission: 'signal:write' }, bodyLimit: maxSignalBytes,
    schema: { tags, summary: 'Post one symptom, or up to 200; the same one again is an occurrence of its finding', body: genericSignalsSchema, response: answers(202, takenSchema) },
  }, async (request, reply) => {
    reply.code(202);
    return take([request.body].flat().map(signalOf), { id: request.principal.id, source: null }, null);
  });

  app.post('/signals/:source', {
    // Signed messages need no key; one without a signature needs it: Alertmanager and Grafana send a bearer token, and cannot sign.
    config: { permission: 'signal:write', provenBy: signatureHeader }, bodyLimit: maxSignalBytes,
    preParsing: async (request, _reply, payload) =>
      (request.headers[signatureHeader] === undefined ? payload : proveSignature(deps, request, payload)),
    schema: {
      tags, summary: 'Webhook of a source of config/signals.yaml: signed, or with a key', params: z.strictObject({ source: idText }),
      description: `Signed by the header \`${signatureHeader}: t=<unix seconds>,v1=<hex hmac-sha256 of "t.body">\`, good for 5 minutes and once; without it, an API key is needed. The body has the form of the source's kind.`,
      body: z.unknown(), response: answers(202, takenSchema),
    },
  }, async (request, reply) => {
    const { webhook } = request;
    reply.code(202);
    if (webhook !== null) {
      const { source, signature_digest } = webhook;
      return take(signalsOf(source, request.body), { id: source.source_id, source }, signature_digest);
    }
    const source = await findSignalSource(deps.config.configFolder, request.params.source);
    if (source === undefined) throw new Problem(404, 'SOURCE_NOT_FOUND', `config/signals.yaml names no source ${request.params.source}`);
    return take(signalsOf(source, request.body), { id: request.principal.id, source }, null);
  });
};

/** @throws Problem naming the field */
function signalsOf(source: SignalSource, body: unknown): Signal[] {
  switch (source.kind) {
    case 'generic': return [parsed(genericSignalsSchema, body)].flat().map(signalOf);
    case 'alertmanager': return parsed(alertmanagerSchema, body).alerts.map((alert, i) => ofAlert(alert, i, source));
    case 'grafana': return parsed(grafanaSchema, body).alerts.map((alert, i) => ofAlert(alert, i, source));
  }
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  throw new Problem(400, 'INVALID_REQUEST', errors.slice(0, 3).map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}

function ofAlert(alert: WebhookAlert, index: number, source: SignalSource): Signal {
  const signal = signalOfAlert(alert, source);
  if (!('refused' in signal)) return signal;
  throw new Problem(422, 'SIGNAL_UNUSABLE', signal.refused, [{ path: `alerts.${index}.${signal.field}`, message: signal.refused }]);
}

const signalOf = ({ summary, ...signal }: z.infer<typeof genericSignalSchema>): Signal =>
  storable({ ...signal, summary: summary ?? `${signal.rule} of ${signal.subsystem_id}` });
