/**
 * A playbook on a bench: its plan, steps and checks run against real resources, through the same activities as in the
 * system, without a server in between. What locks, limits and approvals add is the system's own tests' business.
 */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { stringify } from 'yaml';
import { healingActivities } from '../../src/activities/healing.ts';
import { isDecline, type Decline, type HealingRequest, type Json, type PlannedStep } from '../../src/domain/healing.ts';
import type { Resource } from '../../src/domain/subsystem.ts';
import { projectRoot } from '../../src/project.ts';
import { digestOf } from '../../src/ledger/canonical.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { findResource } from '../../src/store/subsystems.ts';
import type { Playbook, PlaybookContext } from '../../src/workflows/playbooks/playbook.ts';
import { openWorkspace } from './workspace.ts';

export type PlaybookBench = Awaited<ReturnType<typeof openPlaybookBench>>;

export interface Planned { facts: Json; steps: PlannedStep[] }

/** @param resources the declarations as they stand in `subsystems.yaml`, all in a subsystem named `shop` */
export async function openPlaybookBench(resources: Record<string, unknown>) {
  const workspace = await openWorkspace();
  const { home } = workspace;
  const configFolder = join(home, 'config');
  const deps = { ...workspace.deps, config: { ...workspace.deps.config, configFolder }, catalog: createCatalog(configFolder, workspace.db.database) };
  const activities = healingActivities(deps);
  const inActivity = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work);
  await mkdir(configFolder, { recursive: true });
  let run = 0;

  const bench = {
    home, deps, db: workspace.db,
    async configure(changed: Record<string, unknown>): Promise<void> {
      await writeFile(join(configFolder, 'subsystems.yaml'), stringify({ subsystems: { shop: { name: 'The shop', resources: changed } } }));
    },
    async resource(id: string): Promise<Resource> {
      const resource = await findResource(configFolder, 'shop', id);
      if (resource === undefined) throw new Error(`${id} is not declared`);
      return resource;
    },
    /** Through the activity, as a playbook's own probes go. */
    probe: (resource_id: string, name: string, input: Record<string, Json> = {}): Promise<Json> =>
      inActivity(() => activities.probe({ mission_id: 'bench', subsystem_id: 'shop', resource_id, name, input })),
    /** @param key the same key is the same effect: a second call is a second try */
    async act(resource_id: string, action: string, input: Record<string, Json>, key = `bench:${run += 1}`): Promise<Json> {
      const resource_digest = digestOf(await bench.resource(resource_id));
      return inActivity(() => activities.runStep({
        mission_id: 'bench', subsystem_id: 'shop', resource_id, key, resource_digest, step: { action, with: input },
      }));
    },
    /** @param params as in `playbooks.yaml`; defaults are filled in by the playbook's schema */
    async context(playbook: Playbook, resource_id: string, symptom: string, params: unknown = {}): Promise<PlaybookContext<unknown>> {
      const request: HealingRequest = {
        subsystem_id: 'shop', symptom, resource_id, finding_id: null, fingerprint: `bench:${symptom}`, playbook_id: null,
        dry_run: false, severity: 'high', details: {},
      };
      return {
        subsystem_id: 'shop', resource_id, resource: await bench.resource(resource_id), params: playbook.params.parse(params), request,
        probe: (async (name: string, input: Record<string, Json>) => bench.probe(resource_id, name, input)) as PlaybookContext<unknown>['probe'],
        sleep: (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); }),
      };
    },
    async plan(playbook: Playbook, context: PlaybookContext<unknown>): Promise<Planned | Decline> {
      const facts = await playbook.plan(context);
      if (isDecline(facts)) return facts;
      const { params, resource, resource_id, subsystem_id, request } = context;
      const steps = playbook.steps({ facts, params, resource, resource_id, subsystem_id, request });
      return isDecline(steps) ? steps : { facts, steps };
    },
    /** Runs the steps as the system does: rungs of a ladder only while the symptom lasts. Gives the ids of those that ran. */
    async execute(playbook: Playbook, context: PlaybookContext<unknown>, { facts, steps }: Planned): Promise<string[]> {
      const ran: string[] = [];
      run += 1;
      const thisRun = run;
      for (const planned of steps) {
        if (planned.run === 'while_symptom' && (await playbook.verify.symptom({ ...context, facts })).ok) continue;
        try {
          await bench.act(context.resource_id, planned.action, planned.with, `bench:${thisRun}:${planned.id}`);
          ran.push(planned.id);
        } catch (error) {
          if (planned.on_failure === 'stop') throw error;
        }
      }
      return ran;
    },
    async verify(playbook: Playbook, context: PlaybookContext<unknown>, facts: Json) {
      const all = { ...context, facts };
      return {
        symptom: await playbook.verify.symptom(all), independent: await playbook.verify.independent(all),
        must_not_regress: await playbook.verify.must_not_regress(all),
      };
    },
    async close(): Promise<void> {
      await workspace.close();
      await rm(home, { recursive: true, force: true });
    },
  };
  await cp(join(projectRoot, 'config', 'policy.yaml'), join(configFolder, 'policy.yaml'));
  await bench.configure(resources);
  return bench;
}
