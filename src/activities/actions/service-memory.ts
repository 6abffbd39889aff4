/** What may be asked of an instance that stays up: forget these cache entries, collect garbage, write a heap snapshot. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ServiceInstance } from '../../domain/subsystem.ts';
import { sha256 } from '../../ledger/canonical.ts';
import { collectGarbageScript } from '../../project.ts';
import type { ProcessIdentity } from '../../processes.mjs';
import { postJson } from '../egress.ts';
import { defineAction, drift, refused, type ActionTools } from './action.ts';
import { refuseSnapshot, snapshotsOf, takeSnapshot } from './service/heap.ts';
import { findInstance } from './service/instance.ts';
import { refuseAnother, refuseTooFew } from './service/readiness.ts';
import { chosen, egressOf, refuseForbidden, serviceNamed, type Service } from './service/service.ts';

const id = z.string().min(1).max(100);
const oneProcess = z.strictObject({ service: id, instance: id, identity: z.string().min(1).max(2_000).nullable().default(null) });

/** The running process of an instance. @throws drift when there is none, or another than planned with */
async function running(input: z.output<typeof oneProcess>, tools: ActionTools): Promise<{ service: Service; instance: ServiceInstance; process: ProcessIdentity }> {
  const service = await serviceNamed(tools, input.service);
  const instance = chosen(service, [input.instance])[0]!;
  const found = await findInstance(instance);
  if (found.kind === 'foreign') throw refused('FOREIGN_PROCESS', found.reason);
  if (found.kind === 'stopped') throw drift(`${instance.id} does not run`);
  refuseAnother(instance, found.process, input.identity);
  return { service, instance, process: found.process };
}

/** Entries by name, never everything: a cold cache can take down what stands behind it. Forgetting twice does no harm. */
const clearCache = defineAction({
  input: z.strictObject({ service: id, keys: z.array(z.string().min(1).max(1_000)).min(1).max(10_000) }),
  async guard(input, tools) {
    if ((await serviceNamed(tools, input.service)).resource.cache_url === null) throw refused('NOT_SUPPORTED', `${input.service} declares no cache_url`);
  },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const service = await serviceNamed(tools, input.service);
    try {
      await postJson(service.resource.cache_url!, await egressOf(service), JSON.stringify({ keys: input.keys }), {});
    } catch (error) {
      refuseForbidden(error);
      throw refused('CACHE_NOT_CLEARED', `the cache of ${input.service} ${(error as Error).message}`);
    }
    return { keys: input.keys.length };
  },
});

/** Over the inspector of the running process, which must be declared and listen on loopback. Doing it twice does no harm. */
const collectGarbage = defineAction({
  input: oneProcess,
  async guard(input, tools) {
    const { instance } = await running(input, tools);
    if (instance.inspector_port === null) throw refused('NOT_SUPPORTED', `${instance.id} declares no inspector_port`);
  },
  async before() { return null; },
  async done() { return undefined; },
  async act(input, _before, tools) {
    const { instance, process: target } = await running(input, tools);
    const options = typeof globalThis.WebSocket === 'undefined' ? ['--experimental-websocket'] : [];
    const run = await tools.deps.processes.run({
      argv: [process.execPath, ...options, '--no-warnings', collectGarbageScript, String(instance.inspector_port), String(target.pid)],
      cwd: tools.deps.config.home, marker: tools.key, timeout_seconds: 30, network: false, signal: tools.signal,
    });
    await rm(run.output_file, { force: true });
    if (run.exit_code === 3) throw drift(`the inspector on port ${instance.inspector_port} is not that of ${instance.id}`);
    if (run.exit_code !== 0) throw refused('INSPECTOR_FAILED', `the inspector of ${instance.id} on port ${instance.inspector_port} could not be asked`);
    const { heap_before_bytes, heap_after_bytes } = z.object({ heap_before_bytes: z.number(), heap_after_bytes: z.number() }).parse(JSON.parse(run.stdout));
    return { heap_before_bytes, heap_after_bytes };
  },
});

/** The process stands still while it writes, so the others must do without it. */
const heapEvidence = defineAction({
  input: oneProcess,
  async guard(input, tools) {
    const { service, instance, process } = await running(input, tools);
    await refuseSnapshot(process);
    await refuseTooFew(service, instance);
  },
  async before(input, tools): Promise<{ snapshots: string[] }> {
    return { snapshots: await snapshotsOf((await running(input, tools)).process) };
  },
  async done() { return undefined; },
  async act(input, before, tools) {
    const { process } = await running(input, tools);
    const destination = join(tools.deps.config.home, 'evidence', `heap-${sha256(tools.key).slice(0, 32)}.heapsnapshot`);
    return takeSnapshot(process, (before as { snapshots: string[] }).snapshots, destination, tools.signal);
  },
});

export const serviceMemoryActions = {
  'service.clear_cache': clearCache, 'service.collect_garbage': collectGarbage, 'service.heap_evidence': heapEvidence,
};
