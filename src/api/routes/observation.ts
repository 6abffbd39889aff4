/** A mission's observation: its windows, with everything their verdicts were made of. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isTerminal } from '../../domain/mission.ts';
import { sampleKinds } from '../../domain/judge.ts';
import type { ObservationView, WindowView } from '../../domain/observation-view.ts';
import { findMission } from '../../store/missions.ts';
import { observationWindows, type OpenedWindow } from '../../store/observation-windows.ts';
import { windowSamples } from '../../store/window-samples.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers, missionIdParams } from '../schemas.ts';

const time = z.iso.datetime();

const windowSchema = z.object({
  window: z.number().int(), state: z.enum(['running', 'judged', 'decided', 'cancelled']), spec: z.looseObject({}),
  t0: time, landed_at: time, revision: z.string().nullable(), config_digest: z.string(),
  baselines: z.record(z.string(), z.object({ value: z.number().nullable(), n: z.number().int() })),
  confounders: z.array(z.object({
    key: z.string(), kind: z.enum(['landing', 'healing', 'config']), at: time, mission_id: z.string().nullable(), summary: z.string(),
  })),
  verdict: z.looseObject({ verdict: z.string(), unobserved: z.boolean(), reason: z.string() }).nullable(), judged_at: time.nullable(),
  samples: z.array(z.object({
    metric_id: z.string(), tick: z.number().int(), at: time, kind: z.enum(sampleKinds), value: z.number().nullable(), reason: z.string().nullable(),
  })),
}).describe('One window: its terms, every tick, and the verdict');

export const observationRoutes = ({ database }: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.get('/missions/:mission_id/observation', {
    config: { permission: 'mission:read' },
    schema: {
      tags: ['missions'], summary: 'Its observation windows: terms, every tick, confounders, verdicts', params: missionIdParams,
      response: answers(200, z.object({ mission_id: z.string(), windows: z.array(windowSchema) })),
    },
  }, async (request): Promise<ObservationView> => {
    const { mission_id } = request.params;
    const mission = await findMission(database.query, mission_id);
    if (mission === undefined) throw new Problem(404, 'MISSION_NOT_FOUND', `there is no mission ${mission_id}`);
    const [windows, samples] = await Promise.all([observationWindows(database.query, mission_id), windowSamples(database.query, mission_id)]);
    return {
      mission_id,
      windows: windows.map((window) => viewOf(window, isTerminal(mission.status), samples
        .filter((sample) => sample.window === window.window)
        .map(({ window: _window, at, ...sample }) => ({ ...sample, at: new Date(at).toISOString() })))),
    };
  });
};

function viewOf({ judged_by, ...window }: OpenedWindow, ended: boolean, samples: WindowView['samples']): WindowView {
  const verdictless = ended ? 'cancelled' : 'running';
  return { ...window, state: judged_by === null ? verdictless : judged_by === 'judge' ? 'judged' : 'decided', samples };
}
