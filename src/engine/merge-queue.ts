/** How the queue of a branch is reached: its workflow runs, or is started by whoever has something for it. */
import { mergeQueueId } from '../domain/landing.ts';
import { taskQueue } from './client.ts';

export const mergeQueueStart = (repositoryId: string, branch: string) => ({
  workflowId: mergeQueueId(repositoryId, branch),
  taskQueue,
  // A worker killed in the middle of a workflow task is noticed after this; the default is 10 s.
  workflowTaskTimeout: '3s' as const,
  args: [{ repository_id: repositoryId, target_branch: branch, waiting: [], done: [] }] as [{ repository_id: string; target_branch: string; waiting: never[]; done: never[] }],
});
