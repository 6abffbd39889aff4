/**
 * `npm run test:faults`: the crash matrix and every fault test. Prints the matrix as a table.
 *   --write      puts the table into docs/reliability.md
 *   --kills N    how often everything is killed at random times (3)
 *   --seed N     repeats a run: every file prints its seed
 *   --quick      the matrix and nothing else
 * Other arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({
  allowPositionals: true, strict: true,
  options: { write: { type: 'boolean' }, kills: { type: 'string' }, seed: { type: 'string' }, quick: { type: 'boolean' } },
});
const victims = ['api', 'worker', 'temporal', 'postgres', 'command', 'all'];
const stages = ['fetch_context', 'pull_code', 'branch_and_patch', 'run_tests', 'stress_tests', 'publish_diagnostics',
  'collect_metrics', 'governance_approval', 'merge_changes', 'observation_window', 'resolve_or_rollback'];

const results = mkdtempSync(join(tmpdir(), 'mission-control-faults-'));
const only = values.quick ? ['tests/faults/matrix'] : [];
const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'test.mjs'), '--config', join(root, 'vitest.faults.config.ts'), ...only, ...positionals], {
  cwd: root, stdio: 'inherit',
  env: {
    ...process.env, FAULTS_RESULTS: results,
    ...(values.kills === undefined ? {} : { FAULTS_KILLS: values.kills }), ...(values.seed === undefined ? {} : { FAULTS_SEED: values.seed }),
  },
});
const recovery = Object.assign({}, ...readdirSync(results).map((name) => JSON.parse(readFileSync(join(results, name), 'utf8'))));
rmSync(results, { recursive: true, force: true });

/** A killed command exists only where a stage runs one. */
const cell = (victim, stage) => {
  const ms = recovery[victim]?.[stage];
  if (ms !== undefined) return `✓ ${ms}`;
  return victim === 'command' && !['pull_code', 'branch_and_patch', 'run_tests', 'stress_tests', 'merge_changes'].includes(stage) ? '–' : 'not seen';
};
const table = [
  `| stage | ${victims.join(' | ')} |`, `|---|${victims.map(() => '---:|').join('')}`,
  ...stages.map((stage) => `| \`${stage}\` | ${victims.map((victim) => cell(victim, stage)).join(' | ')} |`),
].join('\n');
if (Object.keys(recovery).length > 0) console.log(`\n${table}\n`);

if (values.write && status === 0) {
  const page = join(root, 'docs', 'reliability.md');
  const text = readFileSync(page, 'utf8');
  const [begin, end] = ['<!-- matrix -->\n', '\n<!-- /matrix -->'];
  writeFileSync(page, `${text.slice(0, text.indexOf(begin) + begin.length)}${table}${text.slice(text.indexOf(end))}`);
}
process.exit(status ?? 1);
