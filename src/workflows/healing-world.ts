/** The world as a playbook sees it from inside a workflow: probes are activities, sleep is durable. */
import { sleep } from '@temporalio/workflow';
import type { HealingRequest, Json } from '../domain/healing.ts';
import type { Resource } from '../domain/subsystem.ts';
import { probing } from './activities.ts';
import type { PlaybookContext } from './playbooks/playbook.ts';

export interface WorldInput {
  mission_id: string;
  host_queue: string;
  subsystem_id: string;
  resource_id: string;
  resource: Resource;
  params: Json;
  request: HealingRequest;
}

export function worldOf({ mission_id, host_queue, ...rest }: WorldInput): PlaybookContext<unknown> {
  const { subsystem_id, resource_id } = rest;
  const probe = async (name: string, input: Record<string, Json>): Promise<Json> =>
    probing(host_queue).probe({ mission_id, subsystem_id, resource_id, name, input });
  return {
    ...rest,
    // The names and types were checked where the playbook was written; what comes back is the probe's own JSON.
    probe: probe as PlaybookContext<unknown>['probe'],
    sleep: (milliseconds) => sleep(milliseconds),
  };
}
