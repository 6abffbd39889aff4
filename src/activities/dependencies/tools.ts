/** Versions of the tools that a setup command works with: another version makes another result. */
import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { commandEnvironment } from '../process/environment.ts';

const run = promisify(execFile);

const toolsOf: Record<string, readonly string[]> = {
  npm: ['node', 'npm'], npx: ['node', 'npm'], yarn: ['node', 'npm'], pnpm: ['node', 'npm'],
  go: ['go'], cargo: ['cargo', 'rustc'], bundle: ['ruby'], composer: ['php'],
};
/** Of scripts, Makefiles and everything else that may call any of them. */
const others = ['node', 'npm', 'python3', 'python', 'cc'];
const askedBy: Record<string, readonly string[]> = { go: ['version'] };
const python = /^(python|pip|poetry|uv|pipenv|pdm|hatch)/;

const believedMs = 300_000;
const known = new Map<string, { at: number; said: Promise<string> }>();

/** @param home an empty folder: a tool must not read anybody's settings */
export async function toolVersions(argv: readonly string[], home: string): Promise<Record<string, string>> {
  const name = basename(argv[0] ?? '');
  const tools = toolsOf[name] ?? (python.test(name) ? ['python3', 'python'] : others);
  return Object.fromEntries(await Promise.all(tools.map(async (tool) => [tool, await versionOf(tool, home)] as const)));
}

function versionOf(tool: string, home: string): Promise<string> {
  const before = known.get(tool);
  if (before !== undefined && Date.now() - before.at < believedMs) return before.said;
  const env = commandEnvironment({ network: false, marker: '' }, home, join(home, 'tmp'));
  const said = run(tool, [...(askedBy[tool] ?? ['--version'])], { cwd: '/', env, timeout: 10_000 })
    .then(({ stdout, stderr }) => `${stdout}${stderr}`.trim().slice(0, 500), () => 'absent');
  known.set(tool, { at: Date.now(), said });
  return said;
}
