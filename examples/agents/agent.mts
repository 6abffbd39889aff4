/**
 * An agent that takes missions from the queue, with nothing but Node 20 and git. Node 22.18 and newer run it as it is; for
 * Node 20 compile it first: npx tsc agent.mts --target es2022 --module nodenext, which makes agent.mjs
 *
 *   MISSION_CONTROL_URL=http://127.0.0.1:8000 MISSION_CONTROL_KEY=mck_… AGENT_ID=my-agent node agent.mts [--once] [COMMAND [ARGUMENT…]]
 *
 * COMMAND runs in a clean checkout of the mission's base, with the brief in the file named by MISSION_BRIEF; what it changes
 * there is the patch. Without one, scripted-fix.sh beside this file runs. --once ends after one mission: 0 when its patch was
 * proved, 1 when it was not.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

interface Claim {
  lease: { lease_id: string };
  brief: string;
  base: { commit: string };
  attempt: number;
  max_attempts: number;
  links: { bundle: string; patches: string; lease: string };
}
interface Patch { number: number; state: 'testing' | 'proved' | 'failed'; reason: string | null; again: boolean; mission_status: string }
interface Call { method?: string; json?: unknown; diff?: Buffer }

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};
const url = setting('MISSION_CONTROL_URL').replace(/\/$/, '');
const key = setting('MISSION_CONTROL_KEY');
const agentId = setting('AGENT_ID');
// The command works on what others wrote: it does not get the key.
delete process.env['MISSION_CONTROL_KEY'];
const leaseSeconds = 120;

/** The API answered, and the answer is no. */
class Refused extends Error {}

/** One request, again while nobody is there: every request of ours may be repeated. */
async function call(path: string, { method, json, diff }: Call = {}): Promise<Response> {
  for (;;) {
    const body = json === undefined ? diff : JSON.stringify(json);
    const type = json === undefined ? 'text/x-diff' : 'application/json';
    const answer = await fetch(url + path, {
      method: method ?? (body === undefined ? 'GET' : 'POST'), signal: AbortSignal.timeout(60_000),
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    }).catch((error: Error) => error);
    if (answer instanceof Response && answer.ok) return answer;
    const why = answer instanceof Response ? await answer.text() : String(answer);
    if (answer instanceof Response && answer.status !== 429 && answer.status !== 503) throw new Refused(why);
    console.error(why);
    await sleep(1_000);
  }
}

async function callFor<T>(path: string, options?: Call): Promise<T> {
  return await (await call(path, options)).json() as T;
}

/** Runs a program to its end; its output, when it is wanted. */
function run(argv: readonly string[], cwd: string, env: Record<string, string> = {}, output: 'inherit' | 'pipe' = 'inherit'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { cwd, env: { ...process.env, ...env }, stdio: ['ignore', output, 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`${argv[0]} ended with ${code}`));
    });
  });
}

/** Runs the command in a clean checkout; the difference that it leaves. */
async function makePatch(folder: string, { links, base, brief }: Claim, command: readonly string[]): Promise<Buffer> {
  const checkout = join(folder, 'checkout');
  if (!existsSync(checkout)) {
    await writeFile(join(folder, 'base.bundle'), new Uint8Array(await (await call(links.bundle)).arrayBuffer()));
    await run(['git', 'clone', '--quiet', 'base.bundle', 'checkout'], folder);
  }
  await run(['git', 'reset', '--quiet', '--hard', base.commit], checkout);
  await run(['git', 'clean', '--quiet', '-ffdx'], checkout);
  await writeFile(join(folder, 'brief.md'), brief);
  await run(command, checkout, { MISSION_BRIEF: join(folder, 'brief.md') });
  await run(['git', 'add', '--all'], checkout);
  return run(['git', 'diff', '--cached', '--binary', '--full-index', '--no-renames', '--no-ext-diff', base.commit], checkout, {}, 'pipe');
}

/** Tries until a patch is proved or none is wanted any more. */
async function tryUntilJudged(mission: string, folder: string, first: Claim, command: readonly string[]): Promise<boolean> {
  for (let claim = first; ; claim = await takeMission(mission)) {
    console.log(`${mission}: attempt ${claim.attempt} of ${claim.max_attempts}`);
    const diff = await makePatch(folder, claim, command);
    let posted = await callFor<Patch>(`${claim.links.patches}?lease_id=${claim.lease.lease_id}`, { diff });
    while (posted.state === 'testing' && posted.mission_status === 'in_progress') {
      posted = await callFor<Patch>(`${claim.links.patches}/${posted.number}?wait=20`);
    }
    console.log(`${mission}: patch ${posted.number} ${posted.state}${posted.reason === null ? '' : `: ${posted.reason}`}`);
    if (!posted.again) return posted.state === 'proved';
  }
}

/** Whoever holds it gets the same lease again, and the brief of the next attempt. */
const takeMission = (mission: string): Promise<Claim> =>
  callFor<Claim>(`/mission-control/queue/${mission}/claim`, { json: { agent_id: agentId, lease_seconds: leaseSeconds } });

async function workAt(mission: string, command: readonly string[]): Promise<boolean> {
  const claim = await takeMission(mission);
  const { lease_id } = claim.lease;
  // A lease that is lost all the same is noticed when the patch is posted.
  const heart = setInterval(() => {
    call(claim.links.lease, { json: { lease_id } }).catch((error: Error) => console.error(`heartbeat: ${error.message}`));
  }, (leaseSeconds / 3) * 1_000);
  const folder = await mkdtemp(join(tmpdir(), 'agent-'));
  try {
    return await tryUntilJudged(mission, folder, claim, command);
  } catch (error) {
    if (!(error instanceof Refused)) await call(`${claim.links.lease}?lease_id=${lease_id}`, { method: 'DELETE' });
    throw error;
  } finally {
    clearInterval(heart);
    await rm(folder, { recursive: true, force: true });
  }
}

const once = process.argv[2] === '--once';
const given = process.argv.slice(once ? 3 : 2);
const command = given.length > 0 ? given : ['sh', join(dirname(fileURLToPath(import.meta.url)), 'scripted-fix.sh')];
for (let done = false; !done;) {
  const { mission } = await callFor<{ mission: { mission_id: string } | null }>(`/mission-control/queue/next?${new URLSearchParams({ agent_id: agentId, needs: 'patch', wait: '20' }).toString()}`);
  if (mission === null) continue;
  try {
    const proved = await workAt(mission.mission_id, command);
    done = once;
    if (once) process.exitCode = proved ? 0 : 1;
  } catch (error) {
    // Somebody else was faster, the lease was lost, or the command failed: the next one, then.
    console.error(`${mission.mission_id}: ${(error as Error).message}`);
    await sleep(1_000);
  }
}
