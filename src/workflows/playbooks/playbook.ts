/**
 * What a playbook is. A playbook is pure: it decides; probes and actions, which run as activities, look and act. It may be
 * imported by workflows, api and worker alike, so it imports nothing but `domain`, types and zod.
 */
import type { z } from 'zod';
import type { ActionInput, ActionName, ProbeInput, ProbeName, ProbeResult } from '../../activities/actions/index.ts';
import type { Check, Decline, HealingRequest, Json, PlannedStep, RiskClass } from '../../domain/healing.ts';
import type { Resource, ResourceKind } from '../../domain/subsystem.ts';
import type { Severity } from '../../domain/mission.ts';

/** What a playbook works with: the declared resource, its own parameters, and probes. It cannot act. */
export interface PlaybookContext<Params, Kind extends ResourceKind = ResourceKind> {
  subsystem_id: string;
  resource_id: string;
  resource: Extract<Resource, { kind: Kind }>;
  params: Params;
  request: HealingRequest;
  /** Looks at the world. A probe that cannot look throws; what was not measured is never good. */
  probe: <N extends ProbeName>(name: N, input: ProbeInput<N>) => Promise<ProbeResult<N>>;
  /** Durable: survives any death. */
  sleep: (milliseconds: number) => Promise<void>;
}

export interface VerifyContext<Params, Facts, Kind extends ResourceKind = ResourceKind> extends PlaybookContext<Params, Kind> {
  /** What was found when planning: what must not have become worse is compared with it. */
  facts: Facts;
}

export interface Playbook<Params = unknown, Facts extends Json = Json, Kind extends ResourceKind = ResourceKind> {
  id: string;
  /** Raised with every change of what it does; a run in progress refuses another version. */
  version: number;
  title: string;
  match: { symptoms: readonly string[]; resources: readonly Kind[] };
  risk: RiskClass;
  /** What `config/playbooks.yaml` may set for it, with defaults. */
  params: z.ZodType<Params>;
  /** Only probes. Gives the facts that the steps rest on, or why it does not act. */
  plan(context: PlaybookContext<Params, Kind>): Promise<Facts | Decline>;
  /** Pure: from facts to concrete steps, in the order they are taken. */
  steps(input: {
    facts: Facts; params: Params; resource: Extract<Resource, { kind: Kind }>; resource_id: string; subsystem_id: string; request: HealingRequest;
  }): PlannedStep[] | Decline;
  /** All three are needed: the symptom measured again, one probe independent of it, and what must not have become worse. */
  verify: {
    symptom(context: VerifyContext<Params, Facts, Kind>): Promise<Check>;
    independent(context: VerifyContext<Params, Facts, Kind>): Promise<Check>;
    must_not_regress(context: VerifyContext<Params, Facts, Kind>): Promise<Check>;
  };
  /** What happens when it cannot help: the next rung (another playbook's id) and what a person is told. */
  escalate: { severity: Severity; next: string | null; advice: string };
}

/** Checks a playbook's types against each other; whoever runs it hands it only what it produced itself, as plain JSON. */
export const definePlaybook = <Params, Facts extends Json, Kind extends ResourceKind>(playbook: Playbook<Params, Facts, Kind>): Playbook =>
  playbook as unknown as Playbook;

type StepInput<N extends ActionName> =
  Pick<PlannedStep, 'id' | 'effect'> & Partial<Omit<PlannedStep, 'id' | 'effect' | 'action' | 'with' | 'compensate'>>
  & { action: N; with: ActionInput<N>; compensate?: PlannedStep['compensate'] };

/** A step with its action's types checked. What is not said: irreversible, always run, a failure stops, nothing is lost, 60 s. */
export const step = <N extends ActionName>(input: StepInput<N>): PlannedStep => ({
  reversibility: 'irreversible', run: 'always', on_failure: 'stop', data_loss: 0, timeout_seconds: 60,
  ...input, compensate: input.compensate ?? null, with: input.with as PlannedStep['with'],
});

/** How a step is undone, with its action's types checked. */
export const undo = <N extends ActionName>(action: N, input: ActionInput<N>): NonNullable<PlannedStep['compensate']> =>
  ({ action, with: input as PlannedStep['with'] });

export const decline = (kind: Decline['decline'], code: string, reason: string, facts?: Json): Decline =>
  ({ decline: kind, code, reason, ...(facts === undefined ? {} : { facts }) });
