/** Build step: the workflows as one file, so that a worker starts without bundling (0.8 s of a start of 0.5 s). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { projectRoot } from '../project.ts';

/** The source the bundle is made of; tests make theirs from it too. */
export const workflowsPath = join(projectRoot, 'src', 'workflows', 'index.ts');

export async function buildWorkflowBundle(target: string): Promise<void> {
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  await writeFile(target, code);
}
