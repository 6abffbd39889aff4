import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommandSpec } from '../../src/domain/commands.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

const step = (line: string): { argv: string[]; timeout_seconds: number; network: boolean } => ({ argv: ['sh', '-c', line], timeout_seconds: 60, network: false });
const first: CommandSpec = step('mkdir out && echo one > out/made');

test('what one setup made is not put back for another that goes on where it ended', async () => {
  const { base, ...repository } = await workspace.fetched(workspace.repository({ 'requirements.txt': 'x\n', '.gitignore': 'out\n' }));
  const made = async (setup: CommandSpec, holder: string): Promise<[string, string]> => {
    const { path, dependencies } = await workspace.prepare(repository, base, setup, holder);
    return [dependencies.cache, readFileSync(join(path, 'out', 'made'), 'utf8')];
  };
  expect(await made(first, 'MC-1')).toEqual(['miss', 'one\n']);
  const longer: CommandSpec = { ...first, next: [{ ...step('false'), may_fail: true }, step('echo two >> out/made')] };
  expect(await made(longer, 'MC-2')).toEqual(['miss', 'one\ntwo\n']);
  expect(await made(first, 'MC-3')).toEqual(['hit', 'one\n']);
  expect(await made(longer, 'MC-4')).toEqual(['hit', 'one\ntwo\n']);
});

test('a step that may not fail ends the setup, and is named', async () => {
  const { base, ...repository } = await workspace.fetched(workspace.repository({ 'README.md': 'x\n' }));
  const setup: CommandSpec = { ...first, next: [step('exit 3'), step('echo never')] };
  await expect(workspace.prepare(repository, base, setup, 'MC-5')).rejects.toMatchObject({ type: 'SETUP_FAILED', message: expect.stringContaining('sh -c exit 3 ended with exit code 3') });
});
