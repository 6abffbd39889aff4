import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiagnosticsInput } from '../../src/domain/coding.ts';
import { scanChange, toSarif, type Scan } from '../../src/activities/scan.ts';
import type { StageOutcome } from '../../src/domain/stages.ts';
import { readPolicy } from '../../src/store/policy.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

// Made here, so that no scanner of this repository finds them in this file.
const awsKey = Buffer.from(randomBytes(30)).toString('base64').replaceAll(/[^A-Za-z0-9]/g, 'k');
const privateKey = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
const body = privateKey.split('\n').filter((line) => line.length === 64);
const token = `ghp_${randomBytes(18).toString('hex')}`;
const aws = `AWS_SECRET_ACCESS_KEY=${awsKey}\n`;

type Files = Record<string, string | null>;
async function change(before: Record<string, string>, after: Files) {
  const repository = workspace.repository({ 'README.md': 'x\n', ...before });
  repository.git('checkout', '-q', '-b', 'work');
  repository.commit(after);
  repository.git('branch', '-q', '-M', 'work', 'main');
  const fetched = await workspace.fetched(repository);
  const base = await workspace.mirrors.resolve(fetched.repository_id, `${fetched.base.commit}~1`);
  return { ...fetched, base, candidate: fetched.base };
}
async function scanOf(before: Record<string, string>, after: Files): Promise<Scan> {
  const { gitDir, base, candidate } = await change(before, after);
  return scanChange(workspace.git, gitDir, base.tree, candidate.tree);
}
const places = (scan: Scan): string[] => scan.findings.map(({ path, line }) => `${path}:${line}`);

describe('a secret that the change brings in is found, with path and line', () => {
  test.each([
    ['an AWS key', `one\ntwo\n${aws}`, 3], ['a private key', `const key = \`\n${privateKey}\`;\n`, 2], ['a GitHub token', `token: ${token}\n`, 1],
  ])('%s', async (_, text, line) => {
    const scan = await scanOf({ 'src/config.ts': 'one\ntwo\n' }, { 'src/config.ts': text });
    expect(places(scan)).toEqual([`src/config.ts:${line}`]);
    expect(scan.findings[0]).toMatchObject({ level: 'error', rule: expect.stringContaining('secretlint') });
  });

  test('in a new file, in a file of another kind, and twice in one change', async () => {
    expect(places(await scanOf({}, { 'new.env': aws, 'docs/notes.md': `# Notes\n\n${aws}` }))).toEqual(['docs/notes.md:3', 'new.env:1']);
  });

  test.each(['// secretlint-disable', '# secretlint-disable', '/* secretlint-disable */', '// secretlint-disable-next-line'])(
    'also below a line that says %s: a patch does not choose its judge', async (comment) => {
      expect(places(await scanOf({}, { 'a.js': `${comment}\n${aws}` }))).toEqual(['a.js:2']);
    });

  test('a settings file of the scanner in the repository changes nothing', async () => {
    expect(places(await scanOf({ '.secretlintrc.json': '{"rules": []}', '.secretlintignore': '**\n' }, { 'a.js': aws }))).toEqual(['a.js:1']);
  });
});

describe('what the change did not bring in is not reported', () => {
  test('a secret that was there before, on its line or moved', async () => {
    expect(places(await scanOf({ 'a.env': aws }, { 'a.env': `# a comment\n\n${aws}# end\n` }))).toEqual([]);
  });

  test('but another one beside it is', async () => {
    expect(places(await scanOf({ 'a.env': aws }, { 'a.env': `${aws}TOKEN=${token}\n` }))).toEqual(['a.env:2']);
  });

  test('a secret in a file that the change leaves alone, or removes', async () => {
    const scan = await scanOf({ 'a.env': aws, 'b.env': aws }, { 'b.env': null, 'c.txt': 'clean\n' });
    expect(scan).toEqual({ findings: [], scanned: 1, unscanned: [] });
  });
});

test('what was not looked into is said: binary and too large files, by name', async () => {
  const scan = await scanOf({}, { 'image.bin': `\0${aws}`, 'large.txt': `${'x'.repeat(1024 * 1024)}\n${aws}`, 'clean.txt': 'clean\n' });
  expect(scan).toEqual({ findings: [], scanned: 1, unscanned: ['image.bin', 'large.txt'] });
});

describe('the diagnostics of a change', () => {
  async function diagnose(after: Files): Promise<{ outcome: StageOutcome; texts: string[] }> {
    const { repository_id, base, candidate } = await change({}, after);
    const input: DiagnosticsInput = {
      mission_id: 'MC-1', attempt: 1, repository_id, base, candidate, policy: await readPolicy(workspace.deps.config.configFolder),
      stages: [{ name: 'run_tests', outcome: 'passed', reason: '# heading | <b>bold</b> [link](http://x)\n# next', evidence: [] }],
    };
    const outcome = await workspace.diagnose(input);
    const texts = await Promise.all(outcome.evidence.map((item) => readFile(workspace.artifacts.pathOf(item.sha256), 'utf8')));
    return { outcome, texts };
  }

  test('block with path, line and rule, and the secret stands in none of their outputs', async () => {
    const { outcome, texts } = await diagnose({ 'a.env': aws, 'key.pem': privateKey, 'token.txt': `${token}\n` });
    expect(outcome).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('a.env:1') });
    expect(outcome.reason).toContain('key.pem:1');
    expect(outcome.evidence.map((item) => item.kind)).toEqual(['diagnostics', 'report', 'sarif']);
    for (const text of [...texts, JSON.stringify(outcome)]) {
      expect(text).toContain('a.env');
      for (const secret of [awsKey, token, ...body]) {
        expect(text).not.toContain(secret);
        // Nor any piece of it that would be worth having.
        for (let at = 0; at + 12 <= secret.length; at += 6) expect(text).not.toContain(secret.slice(at, at + 12));
      }
    }
  });

  test('pass a clean change, and name what was not looked into', async () => {
    const { outcome } = await diagnose({ 'a.txt': 'clean\n', 'image.bin': '\0\0' });
    expect(outcome).toMatchObject({ outcome: 'passed', reason: 'not scanned (binary or over 1 MiB): image.bin' });
  });

  test('are a table that text of the repository cannot break out of', async () => {
    const { texts } = await diagnose({ 'a.txt': 'clean\n' });
    const markdown = texts.at(1)!;
    expect(markdown).toContain('| run_tests | passed | \\# heading \\| \\<b\\>bold\\</b\\> \\[link\\]\\(http://x\\) \\# next |');
    expect(markdown.split('\n').filter((line) => line.startsWith('#'))).toEqual(['# MC-1, attempt 1', '## Security scan']);
  });
});

describe('SARIF', () => {
  interface Sarif {
    version: string; $schema: string;
    runs: {
      tool: { driver: { name: string; version: string; rules?: { id: string }[] } };
      results: { ruleId: string; level: string; message: { text: string }; locations: { physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number } } }[] }[];
    }[];
  }
  const level = ['none', 'note', 'warning', 'error'];

  test('2.1.0, with every finding as a result of a rule that is listed, at its place', async () => {
    const scan = await scanOf({}, { 'a.env': aws, 'with space/ünï #1%.txt': `\n\ntoken: ${token}\n` });
    const sarif = JSON.parse(toSarif(scan)) as Sarif;
    expect(sarif).toMatchObject({ version: '2.1.0', $schema: expect.stringContaining('sarif') });
    expect(sarif.runs).toHaveLength(1);
    const { tool, results } = sarif.runs.at(0)!;
    expect(tool.driver).toMatchObject({ name: 'mission-control', version: expect.stringMatching(/^\d/) });
    expect(results).toHaveLength(2);
    const rules = new Set(tool.driver.rules?.map((rule) => rule.id));
    for (const [i, result] of results.entries()) {
      const { path, line } = scan.findings.at(i)!;
      expect(rules).toContain(result.ruleId);
      expect(level).toContain(result.level);
      expect(result.message.text).not.toBe('');
      const { artifactLocation, region } = result.locations.at(0)!.physicalLocation;
      // A URI reference, as the format asks for: resolved and decoded again it is the path.
      expect(decodeURIComponent(new URL(artifactLocation.uri, 'file:///').pathname)).toBe(`/${path}`);
      expect(region.startLine).toBe(line);
    }
  });

  test('without findings is a run without results, not no run', () => {
    const sarif = JSON.parse(toSarif({ findings: [], scanned: 3, unscanned: [] })) as Sarif;
    expect(sarif.runs.at(0)!.results).toEqual([]);
  });

  test.each([['info', 'note'], ['warning', 'warning'], ['error', 'error']] as const)('the level %s is %s there', (own, theirs) => {
    const sarif = JSON.parse(toSarif({ findings: [{ rule: 'r', level: own, path: 'p', line: 1, message: 'm' }], scanned: 1, unscanned: [] })) as Sarif;
    expect(sarif.runs.at(0)!.results.at(0)!.level).toBe(theirs);
  });
});
