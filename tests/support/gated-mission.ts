/** A mission that stands in the middle of its tests for as long as a test wants it to. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { makeGate, type Gate } from './launched.ts';
import { calculator, fixedAdd, type TestRepository } from './repository.ts';
import type { System } from './system.ts';

/** A mission whose candidate's tests wait at a gate. */
export async function gatedMission(system: System): Promise<{ gate: Gate; repository: TestRepository; id: string }> {
  const gate = await makeGate(join(system.home, `gate-${randomUUID()}`));
  const repository = system.repository({ ...calculator, 'test/gate.test.js': gate.source });
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)]);
  await gate.begun(1);
  return { gate, repository, id };
}
