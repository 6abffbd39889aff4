/** The restart budget, asked right before something is taken down or brought up. */
import { restartBudget, restartTarget } from '../../../domain/restart-budget.ts';
import { resumeStopped, spendRestart } from '../../../store/restarts.ts';
import { refused } from '../action.ts';
import type { Service } from './service.ts';

const requestFor = ({ tools, id }: Service, instance: string | null) => ({
  key: instance === null ? tools.key : `${tools.key}:${instance}`,
  target: restartTarget(tools.subsystem_id, id, instance), mission_id: tools.mission_id,
});

/** @throws RESTART_BUDGET when it is used up */
export async function spend(service: Service, instance: string | null, kind: 'stop' | 'start' | 'restart'): Promise<void> {
  const request = requestFor(service, instance);
  const ruling = await spendRestart(service.tools.deps.database, { ...request, kind });
  if (ruling.kind === 'refused') {
    throw refused('RESTART_BUDGET', `${request.target} was restarted ${ruling.used} times within ${restartBudget.seconds / 60} minutes, ${restartBudget.max} are allowed`);
  }
}

/** For a start: free when it brings back what this mission stopped. */
export async function spendStart(service: Service, instance: string | null): Promise<void> {
  if (await resumeStopped(service.tools.deps.database, requestFor(service, instance))) return;
  await spend(service, instance, 'start');
}
