/** What a healing mission reads before it decides, and writes about its runs. Keyed, so that a retry writes once. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Binding } from '../domain/binding.ts';
import { systemActor } from '../domain/actor.ts';
import { noSubject, type EventType } from '../domain/event.ts';
import { ruleOnRun, type HealingLimits, type HealingPlan, type HealingRequest, type RunHistory, type RunOutcome } from '../domain/healing.ts';
import { resolveWindow, type WindowSpec } from '../domain/observation.ts';
import type { Policy } from '../domain/policy.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { windowMetricSchema, type WindowMetricInput } from '../domain/schema/observation.ts';
import { probeMetric, type Resource } from '../domain/subsystem.ts';
import { readBindings } from '../engine/bindings.ts';
import { failure } from '../engine/failure.ts';
import { digestOf } from '../ledger/canonical.ts';
import { evidence } from '../store/artifacts.ts';
import { insertEvents } from '../store/events.ts';
import { endRun, historyOf, recurrencesOf, runningRuns, startRun, type RunTarget } from '../store/healing-runs.ts';
import type { Catalog } from '../store/catalog.ts';
import { readPolicy } from '../store/policy.ts';
import type { ActivityDeps } from './deps.ts';

/** A playbook that may be tried: its binding, frozen for the mission, and the resource as declared now. */
export interface Candidate extends Binding {
  resource: Resource;
  resource_digest: string;
  /** The window that follows it. */
  window: WindowSpec;
}

export interface HealingContext {
  candidates: Candidate[];
  policy: Policy;
  policy_digest: string;
  /** How often this symptom was healed within a day before. */
  recurrences: number;
}

const dayMs = 24 * 3_600_000;

export interface StartRunInput {
  mission_id: string;
  attempt: number;
  plan: HealingPlan;
  plan_digest: string;
  fingerprint: string;
  limits: HealingLimits;
  next_rung: string | null;
  /** A person agreed to this plan. */
  agreed: boolean;
}

export const healingRecordActivities = ({ config, database, artifacts, temporal, catalog }: ActivityDeps) => {
  /** A mission that was terminated in Temporal ends its run nowhere: ended here, or it would count as working for ever. */
  async function endDeadRuns({ playbook_id, mission_id }: { playbook_id: string; mission_id: string }): Promise<void> {
    for (const run of await runningRuns(database.query, playbook_id, mission_id)) {
      if (await isRunning(temporal, run.mission_id)) continue;
      await database.transaction((query) => endRun(query, run.mission_id, run.attempt, 'aborted', 'its mission was ended in Temporal'));
    }
  }

  return {
    /** Every binding that could be meant, in the order of the file, and the rules in force. Read once for a mission. */
    async openHealing(request: HealingRequest): Promise<HealingContext> {
      // A file that is wrong is wrong until somebody mends it: the mission waits for that, and says why.
      const unusable = (error: Error): never => { throw failure('SETTINGS_INVALID', error.message); };
      const { bindings, subsystems } = await readBindings(config.configFolder).catch(unusable);
      const policy = await readPolicy(config.configFolder).catch(unusable);
      const subsystem = subsystems.find(({ subsystem_id }) => subsystem_id === request.subsystem_id);
      const detecting = await detectingMetric(request, catalog);
      const candidates = bindings
        .filter((binding) => binding.subsystem_id === request.subsystem_id
          && (request.resource_id === null || binding.resource_id === request.resource_id))
        .map((binding): Candidate => {
          const resource = subsystem!.resources[binding.resource_id]!;
          return { ...binding, resource, resource_digest: digestOf(resource), window: windowOf(binding, request, detecting) };
        });
      const since = new Date(Date.now() - dayMs).toISOString();
      return { candidates, policy, policy_digest: digestOf(policy), recurrences: await recurrencesOf(database.query, request.fingerprint, since) };
    },

    async healingHistory(input: RunTarget & { mission_id: string }): Promise<RunHistory> {
      await endDeadRuns(input);
      return historyOf(database.query, input, input.mission_id);
    },

    /** The mission that holds a resource now, for whoever waits for it; null when nobody does any more or it cannot be asked. */
    async holderOf(resource: string): Promise<string | null> {
      const handle = temporal.workflow.getHandle(`effects:${resource}`);
      return handle.query<{ mission_id: string }>('effectsHolder').then((holder) => holder.mission_id, () => null);
    },

    /** Digest of exactly this plan, and the plan as evidence. */
    async digestOfPlan(plan: HealingPlan): Promise<{ plan_digest: string; evidence: EvidenceRef[] }> {
      const stored = await artifacts.putJson(plan);
      const summary = `${plan.playbook_id}: ${plan.steps.map((step) => step.effect).join('; ')}`;
      return { plan_digest: digestOf(plan), evidence: [evidence('healing_plan', stored, summary.slice(0, 500))] };
    },

    /**
     * Begins a run, unless its limits forbid it by now: between plan and lock others may have run, and a person may have taken hours.
     * @returns why it may not begin, or null
     */
    async startHealingRun(input: StartRunInput): Promise<string | null> {
      const { plan, limits, next_rung, agreed, ...run } = input;
      const { playbook_id, playbook_version, subsystem_id, resource_id } = plan;
      return database.transaction((query) => startRun(query, { ...run, playbook_id, playbook_version, subsystem_id, resource_id }, (history) => {
        const ruling = ruleOnRun(limits, history, Date.now(), next_rung);
        if (ruling.kind === 'refused') return `${ruling.code}: ${ruling.reason}`;
        return ruling.needs_person.length > 0 && !agreed ? `a person must agree by now: ${ruling.needs_person.join(', ')}` : null;
      }));
    },

    async endHealingRun(input: { mission_id: string; attempt: number; outcome: RunOutcome; reason: string; provisional_seconds: number }): Promise<void> {
      await database.transaction((query) => endRun(query, input.mission_id, input.attempt, input.outcome, input.reason, input.provisional_seconds));
    },

    /** Events of a run's steps, as they happen. */
    async noteHealing(input: { mission_id: string; key: string; type: EventType; payload: Record<string, unknown> }): Promise<void> {
      await insertEvents(database.query, [{
        type: input.type, actor: systemActor('worker'), subject: { ...noSubject, mission_id: input.mission_id, stage: 'execute' },
        payload: input.payload, idempotency_key: input.key,
      }]);
    },
  };
};

async function isRunning(temporal: Client, missionId: string): Promise<boolean> {
  try {
    return (await temporal.workflow.getHandle(missionId).describe()).status.name === 'RUNNING';
  } catch (error) {
    // Ended so long ago that Temporal has forgotten it. Anything else tells nothing.
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** The binding's own metrics, and the one that detected the symptom; without either the window is unobserved and says so. */
function windowOf({ observe }: Binding, request: HealingRequest, detecting: WindowMetricInput | null): WindowSpec {
  const written = observe.metrics === undefined || observe.metrics === 'none' ? [] : observe.metrics;
  const known = detecting === null || observe.metrics === 'none' || written.some(({ metric_id }) => metric_id === detecting.metric_id);
  const metrics = known ? observe.metrics : [...written, detecting];
  const window = resolveWindow(observe.duration_minutes ?? 30, { ...observe, metrics }, []);
  return window.metrics === 'none' && window.reason === null
    ? { ...window, reason: `nothing measures ${request.symptom} by itself: it was verified once` } : window;
}

/** What the finding was made from, as `details` names it: a probe, or a metric of the catalog, judged as the catalog judges it. */
async function detectingMetric({ details, subsystem_id }: HealingRequest, catalog: Catalog): Promise<WindowMetricInput | null> {
  const { metric_id, probe_id } = details;
  if (typeof probe_id === 'string') return windowMetricSchema.parse({ metric_id: probeMetric(subsystem_id, probe_id), comparator: '==', target: 1 });
  const metric = typeof metric_id === 'string' ? await catalog.find(metric_id) : undefined;
  if (metric === undefined) return null;
  const { comparator, target, aggregation, rolling_window_minutes } = metric;
  return windowMetricSchema.parse({
    metric_id: metric.metric_id, comparator, target, aggregation, ...(rolling_window_minutes === null ? {} : { rolling_window_minutes }),
  });
}
