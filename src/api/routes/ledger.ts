/** The ledger for those who do not take our word for it: checkpoints, proofs, exports. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { text } from '../../domain/schema/text.ts';
import { ledgerSigner } from '../../home.ts';
import { exportMission, missionFormat } from '../../ledger/mission-export.ts';
import { consistencyProof } from '../../ledger/nodes.ts';
import { readCheckpoint } from '../../ledger/note.ts';
import { backlog, latestCheckpoint, logVkey, provedRecord, redactPayload } from '../../store/ledger.ts';
import { findMission } from '../../store/missions.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers, missionIdParams } from '../schemas.ts';

const seqText = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const envelopeSchema = z.object({ payloadType: z.string(), payload: z.string(), signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })) });
const recordSchema = z.looseObject({ v: z.number(), log_id: z.string(), seq: z.number().int(), prev: hash, ts: z.string(), type: z.string(), payload_digest: hash });

/** Each holds a connection for as long as it has records to prove; the others are for everybody else. */
const exportsAtOnce = 2;

export const ledgerRoutes = ({ config, database }: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  let exporting = 0;
  const empty = (): Problem => new Problem(409, 'LEDGER_EMPTY', 'nothing is sealed yet: the worker seals as soon as it runs');

  app.get('/ledger/checkpoint', {
    config: { permission: 'ledger:read' },
    schema: {
      tags: ['ledger'], summary: 'The newest signed head of the ledger, as a C2SP checkpoint, and the key to verify it with',
      response: answers(200, z.object({
        checkpoint: z.string(), log_id: z.string(), size: z.number().int(), root: hash, sealed_at: z.iso.datetime(), vkey: z.string().nullable(), unsealed: z.number().int(),
      })),
    },
  }, async () => {
    const [latest, vkey, { unsealed }] = await Promise.all([latestCheckpoint(database.query), logVkey(database.query), backlog(database.query)]);
    if (latest === undefined) throw empty();
    const { note, ...rest } = latest;
    return { checkpoint: note, log_id: readCheckpoint(note)?.origin ?? '', ...rest, vkey, unsealed };
  });

  app.get('/ledger/proof/:seq', {
    config: { permission: 'ledger:read' },
    schema: {
      tags: ['ledger'], summary: 'One record with its path to the newest checkpoint (c2sp.org/tlog-proof)', params: z.strictObject({ seq: seqText }),
      response: answers(200, z.object({ record: recordSchema, leaf_hash: hash, proof: z.string(), checkpoint: z.string() })),
    },
  }, async ({ params: { seq } }) => {
    const proved = await provedRecord(database.query, seq);
    if (proved === undefined) throw new Problem(404, 'RECORD_NOT_FOUND', `there is no record ${seq}`);
    return proved;
  });

  app.get('/ledger/consistency', {
    config: { permission: 'ledger:read' },
    schema: {
      tags: ['ledger'], summary: 'Proof that the ledger of one size is the beginning of that of another (RFC 6962 2.1.2)',
      querystring: z.strictObject({ from: seqText, to: seqText }), response: answers(200, z.object({ from: z.number(), to: z.number(), proof: z.array(hash) })),
    },
  }, async ({ query: { from, to } }) => {
    const size = (await latestCheckpoint(database.query))?.size ?? 0;
    if (from > to || to > size) throw new Problem(422, 'RANGE_INVALID', `from ≤ to ≤ ${size}`, [{ path: from > to ? 'from' : 'to', message: from > to ? 'is after to' : `the ledger has ${size} records` }]);
    return { from, to, proof: await consistencyProof(database.query, from, to) };
  });

  app.post('/ledger/redactions', {
    config: { permission: 'ledger:redact' },
    schema: {
      tags: ['ledger'], summary: 'Take the payload of one record out for good; the record and its proof stay',
      body: z.strictObject({ seq: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER), reason: text(2_000) }), response: answers(200, z.object({ seq: z.number().int(), redacted: z.literal(true) })),
    },
  }, async ({ body: { seq, reason }, principal }) => {
    const done = await redactPayload(database, seq, reason, principal);
    if (done === 'none') throw new Problem(404, 'RECORD_NOT_FOUND', `there is no record ${seq}`);
    if (done === 'kept') throw new Problem(409, 'NOT_REDACTABLE', `record ${seq} names a key of the log, or a redaction: without it nothing else can be verified`);
    return { seq, redacted: true as const };
  });

  app.get('/missions/:mission_id/export', {
    config: { permission: 'ledger:read' },
    schema: {
      tags: ['ledger'], summary: 'Everything that proves a mission, in one file: `missionctl verify` needs nothing else but the key', params: missionIdParams,
      response: answers(200, z.object({
        format: z.literal(missionFormat), mission_id: z.string(), log_id: z.string(), vkey: z.string(), checkpoint: z.string(),
        entries: z.array(z.object({ record: recordSchema, salt: z.string().nullable(), payload: z.looseObject({}).nullable(), proof: z.string() })),
        statements: z.array(envelopeSchema), manifest: envelopeSchema,
      })),
    },
  }, async ({ params: { mission_id } }, reply) => {
    if (await findMission(database.query, mission_id) === undefined) throw new Problem(404, 'MISSION_NOT_FOUND', `there is no mission ${mission_id}`);
    const signer = await ledgerSigner(config.ledgerKey, 'fail').catch((error: Error) => {
      throw new Problem(503, 'LEDGER_KEY_MISSING', error.message);
    });
    if (exporting >= exportsAtOnce) throw new Problem(429, 'EXPORTS_BUSY', `${exportsAtOnce} exports are being made; try again in 2 s`, [], { 'retry-after': '2' });
    exporting += 1;
    const made = await database.transaction(async (query) => {
      await query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      return exportMission(query, mission_id, signer);
    }).finally(() => { exporting -= 1; });
    if (made === undefined) throw empty();
    if (made.log_id !== signer.name) throw new Problem(503, 'LEDGER_KEY_MISSING', `this host's key is of the log ${signer.name}, the ledger is ${made.log_id}`);
    reply.header('content-disposition', `attachment; filename="${mission_id}.proof.json"`);
    return made;
  });
};
