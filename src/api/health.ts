/** Health that was measured, with the time of the measurement. What was not measured is unknown, and unknown is not ok. */
import proto from '@temporalio/proto';
import { workersAlive } from '../store/presence.ts';
import { taskQueue } from '../engine/client.ts';
import type { ApiDeps } from './context.ts';

export type HealthState = 'healthy' | 'degraded' | 'unhealthy' | 'unknown';

export interface SubsystemHealth {
  id: string;
  state: HealthState;
  reason: string | null;
  measured_at: string;
  duration_ms: number;
}

const probeDeadlineMs = 2_000;

/** Measures now. A probe that fails or takes longer than 2 s makes its subsystem unhealthy, and says why. */
export async function measureHealth({ database, temporal, config }: ApiDeps): Promise<SubsystemHealth[]> {
  return Promise.all([
    probe('api', async () => undefined),
    probe('postgres', async () => { await database.query('SELECT 1'); }),
    probe('temporal', async () => {
      await temporal.withDeadline(Date.now() + probeDeadlineMs, () => temporal.workflowService.getSystemInfo({}));
    }),
    probe('worker', async () => {
      if ((await workersAlive(database.query)) === 0) throw new Error('no worker is running');
      const { pollers } = await temporal.withDeadline(Date.now() + probeDeadlineMs, () => temporal.workflowService.describeTaskQueue({
        namespace: config.temporal.namespace, taskQueue: { name: taskQueue },
        taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
      }));
      if ((pollers ?? []).length === 0) throw new Error(`no worker polls ${taskQueue}`);
    }),
  ]);
}

/** Beside what a mission needs to start: the live stream, behind the ledger or full. */
export const measureStream = ({ stream, config }: Pick<ApiDeps, 'stream' | 'config'>): Promise<SubsystemHealth> => probe('event_stream', async () => {
  const { behind, clients } = await stream.measure();
  if (behind > 0) throw new Error(`${behind} events behind the ledger, with ${clients} clients`);
  if (clients >= config.stream.connections) throw new Error(`all ${clients} places are taken`);
});

async function probe(id: string, measure: () => Promise<void>): Promise<SubsystemHealth> {
  const started = Date.now();
  const measured_at = new Date(started).toISOString();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${probeDeadlineMs} ms`)), probeDeadlineMs);
  });
  try {
    await Promise.race([measure(), late]);
    return { id, state: 'healthy', reason: null, measured_at, duration_ms: Date.now() - started };
  } catch (error) {
    return { id, state: 'unhealthy', reason: (error as Error).message.split('\n')[0]!.slice(0, 200), measured_at, duration_ms: Date.now() - started };
  } finally {
    clearTimeout(timer);
  }
}

export function overall(subsystems: readonly SubsystemHealth[]): HealthState {
  const order: HealthState[] = ['unhealthy', 'degraded', 'unknown', 'healthy'];
  return order.find((state) => subsystems.some((subsystem) => subsystem.state === state)) ?? 'unknown';
}
