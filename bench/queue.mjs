/**
 * The merge queue of a whole system: (1) missions that all wait for one branch, some in conflict with each other; (2) missions
 * that land while somebody else pushes to the same branch in a loop; (3) green branches, one after the other, with every git
 * process of the worker counted. What landed is judged from the repository, the missions' evidence and the engine's own
 * histories. `--missions N`, `--branches N`, `--part 1|2|3` (default: all).
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { launchSystem } from './launched.mjs';
import { watchGit } from './queue/git-log.mjs';
import { conflictingMissions } from './queue/conflicts.mjs';
import { besideACommitter } from './queue/committer.mjs';
import { greenBranches } from './queue/branches.mjs';
import { connectTo } from './queue/history.mjs';
import { onAnyEnd } from './system.mjs';

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, missions: { type: 'string' }, branches: { type: 'string' }, part: { type: 'string' } } });
const sizes = { missions: Number(values.missions ?? (values.quick ? 12 : 30)), beside: values.quick ? 4 : 10, branches: Number(values.branches ?? (values.quick ? 20 : 200)) };

const folder = mkdtempSync(join(tmpdir(), 'mission-control-bench-git-'));
onAnyEnd(() => rmSync(folder, { recursive: true, force: true }));
const watched = watchGit(folder);
const system = await launchSystem({ PATH: watched.path });
mkdirSync(join(system.home, 'repositories'), { recursive: true });
const engine = await connectTo(system.runFile());

const checks = [];
/** @param said what was seen, shown beside the promise */
const check = (promise, passed, said) => { checks.push({ promise, passed, said }); };
const bench = { system, client: engine.client, watched, check };

const parts = {
  1: () => conflictingMissions(bench, sizes.missions),
  2: () => besideACommitter(bench, sizes.beside),
  3: () => greenBranches(bench, sizes.branches),
};
for (const [name, run] of Object.entries(parts)) if (values.part === undefined || values.part === name) await run();
await engine.close();
await system.stop();

console.log('\n| promise | seen | |\n|---|---|---|');
for (const { promise, passed, said } of checks) console.log(`| ${promise} | ${said} | ${passed ? 'passed' : '**failed**'} |`);
const failed = checks.filter(({ passed }) => !passed).length;
console.log(`\n${checks.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
