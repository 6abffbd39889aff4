/** What `playbook new` writes: a playbook that works, its break → heal → verify test, and its place in the list. */

export interface SkeletonNames {
  /** `stale-cache`: the file's name. */
  file: string;
  /** `stale_cache`: the playbook's id and its symptom. */
  id: string;
  /** `staleCache`: the exported name. */
  exported: string;
}

/** @param name words of lower-case letters and digits, joined by `-` */
export const namesOf = (name: string): SkeletonNames => ({
  file: name, id: name.replaceAll('-', '_'), exported: name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
});

/** The sample moves a file aside: every part is there, small enough to be replaced one after the other. */
export const playbookText = ({ id, exported }: SkeletonNames): string => `/** What breaks, and how this mends it. (The skeleton: a file that must not be there is moved aside.) */
import { z } from 'zod';
import { decline, definePlaybook, step, undo } from './playbook.ts';

/** What config/playbooks.yaml sets for each resource that it is bound to. */
const params = z.strictObject({ file: z.string().startsWith('/', 'an absolute path') });

export const ${exported} = definePlaybook({
  id: '${id}',
  version: 1,
  title: 'Move a file aside that must not be there',
  match: { symptoms: ['${id}'], resources: ['service'] },
  risk: 'low',
  params,

  // Only looks. Whatever makes acting unsafe is a refusal here, with a reason that a person can use.
  async plan({ probe, params: { file } }) {
    const there = await probe('command.check', { argv: ['test', '-e', file], cwd: '/' });
    if (there.exit_code !== 0) return decline('healthy', 'FILE_GONE', \`\${file} is not there\`);
    const plain = await probe('command.check', { argv: ['test', '-f', file], cwd: '/' });
    if (plain.exit_code !== 0) return decline('refused', 'NOT_A_FILE', \`\${file} is not a plain file\`);
    return { file, aside: \`\${file}.aside\` };
  },

  // Pure: from facts to exactly what will be done. An approver reads this, and nothing else is done.
  steps: ({ facts: { file, aside } }) => [step({
    id: 'move_aside', action: 'command.run', with: { argv: ['mv', '--no-clobber', file, aside], cwd: '/', repeatable: true },
    effect: \`renames \${file} to \${aside}\`, reversibility: 'compensable',
    compensate: undo('command.run', { argv: ['mv', '--no-clobber', aside, file], cwd: '/', repeatable: true }),
  })],

  verify: {
    // What was detected, measured again.
    async symptom({ probe, facts: { file } }) {
      const measured = await probe('command.check', { argv: ['test', '-e', file], cwd: '/' });
      return { ok: measured.exit_code === 1, found: \`\${file} is \${measured.exit_code === 1 ? 'gone' : 'there'}\`, measured };
    },
    // The same question asked another way.
    async independent({ probe, facts: { aside } }) {
      const measured = await probe('command.check', { argv: ['test', '-f', aside], cwd: '/' });
      return { ok: measured.exit_code === 0, found: \`\${aside} is \${measured.exit_code === 0 ? 'there' : 'not there'}\`, measured };
    },
    // What must not have become worse by it.
    async must_not_regress({ probe, facts: { file } }) {
      const measured = await probe('command.check', { argv: ['test', '-w', file.slice(0, file.lastIndexOf('/') + 1)], cwd: '/' });
      return { ok: measured.exit_code === 0, found: \`its folder is \${measured.exit_code === 0 ? '' : 'not '}writable\`, measured };
    },
  },
  escalate: { severity: 'medium', next: null, advice: 'Find out what writes the file.' },
});
`;

export const testText = ({ file, id, exported }: SkeletonNames): string => `import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ${exported} } from '../../src/workflows/playbooks/${file}.ts';
import { openPlaybookBench, type Planned, type PlaybookBench } from '../support/playbook-bench.ts';

let bench: PlaybookBench;
let broken: string;

beforeAll(async () => {
  bench = await openPlaybookBench({
    web: { kind: 'service', manager: { kind: 'process', instances: [{ id: 'web1', pid_file: '/nowhere/web1.pid', argv: ['true'], cwd: '/' }] } },
  });
});
afterAll(() => bench.close());
beforeEach(() => { broken = join(bench.home, \`\${Math.random().toString(36).slice(2)}.broken\`); });

const open = () => bench.context(${exported}, 'web', '${id}', { file: broken });

test('break, heal, verify', async () => {
  writeFileSync(broken, 'in the way');
  const context = await open();
  const plan = await bench.plan(${exported}, context) as Planned;
  expect(await bench.execute(${exported}, context, plan)).toEqual(['move_aside']);
  const checks = await bench.verify(${exported}, context, plan.facts);
  expect(Object.values(checks).map((check) => check.ok), JSON.stringify(checks)).toEqual([true, true, true]);
  expect(existsSync(broken)).toBe(false);
});

test('what is not broken is left alone', async () => {
  expect(await bench.plan(${exported}, await open())).toMatchObject({ decline: 'healthy', code: 'FILE_GONE' });
});

test('must refuse: a folder is not moved', async () => {
  mkdirSync(broken);
  expect(await bench.plan(${exported}, await open())).toMatchObject({ decline: 'refused', code: 'NOT_A_FILE' });
});
`;

/** The list of playbooks with one more: an import and an entry, both in the order of the names. */
export function listed(index: string, { file, exported }: SkeletonNames): string {
  const lines = index.split('\n');
  const lastImport = lines.findLastIndex((line) => line.startsWith('import '));
  lines.splice(lastImport + 1, 0, `import { ${exported} } from './${file}.ts';`);
  const end = lines.indexOf('];');
  lines.splice(end, 0, `  ${exported},`);
  return lines.join('\n');
}
