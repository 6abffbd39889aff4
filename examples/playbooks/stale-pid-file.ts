/** A pid file whose process is gone keeps a service from starting: it is moved aside, and only while nothing has that pid. */
import { z } from 'zod';
import { decline, definePlaybook, step, undo, type PlaybookContext } from '../../src/workflows/playbooks/playbook.ts';
import { isUp, stillWell } from '../../src/workflows/playbooks/service/well.ts';

/** What config/playbooks.yaml sets for each resource that it is bound to. */
const paramsSchema = z.strictObject({ pid_file: z.string().startsWith('/', 'an absolute path').max(500) });
type Params = z.output<typeof paramsSchema>;
type Context = Pick<PlaybookContext<Params, 'service'>, 'probe' | 'params'>;

/** Exit code 0: some process has this pid, whoever's it is. 1: none has. Anything else: not known. */
const isAlive = `
const alive = (pid) => { try { process.kill(pid, 0); return true; } catch (error) { if (error.code === 'ESRCH') return false; if (error.code === 'EPERM') return true; throw error; } };`;
const askAlive = `${isAlive}
try { process.exitCode = alive(Number(process.argv[1])) ? 0 : 1; } catch { process.exitCode = 2; }`;

// Looks again right before it renames: a service may have started since the plan was approved. Run twice, it finds its work done.
const moveAside = `${isAlive}
const { existsSync, readFileSync, renameSync } = require('node:fs');
const [file, pid, aside] = process.argv.slice(1);
const holds = (path) => existsSync(path) && readFileSync(path, 'utf8').trim() === pid;
if (!existsSync(file) && holds(aside)) process.exit(0);
if (existsSync(aside) || !holds(file) || alive(Number(pid))) process.exit(3);
renameSync(file, aside);`;

type Found = { kind: 'gone' } | { kind: 'no_pid_file'; why: string } | { kind: 'pid'; pid: string; alive: boolean | null };

async function look({ probe, params: { pid_file } }: Context): Promise<Found> {
  const ask = (argv: string[]) => probe('command.check', { argv, cwd: '/' });
  const plain = await ask(['test', '-f', pid_file]);
  const link = await ask(['test', '-L', pid_file]);
  if (link.exit_code === 0) return { kind: 'no_pid_file', why: 'is a link' };
  if (plain.exit_code !== 0) return (await ask(['test', '-e', pid_file])).exit_code === 1 ? { kind: 'gone' } : { kind: 'no_pid_file', why: 'is not a plain file' };
  const { exit_code, stdout } = await ask(['head', '-c', '100', pid_file]);
  const pid = stdout.trim();
  if (exit_code !== 0 || !/^[1-9]\d{0,8}$/.test(pid)) return { kind: 'no_pid_file', why: 'does not hold one pid' };
  const alive = await ask(['node', '-e', askAlive, pid]);
  return { kind: 'pid', pid, alive: alive.exit_code === 0 ? true : alive.exit_code === 1 ? false : null };
}

const inWords = (found: Found): string =>
  found.kind === 'gone' ? 'is gone'
  : found.kind === 'no_pid_file' ? found.why
  : `names pid ${found.pid}, which ${found.alive === null ? 'could not be looked up' : found.alive ? 'is alive' : 'is dead'}`;

export const stalePidFile = definePlaybook({
  id: 'stale_pid_file',
  version: 1,
  title: 'Move a pid file aside whose process is gone',
  match: { symptoms: ['stale_pid_file'], resources: ['service'] },
  risk: 'low',
  params: paramsSchema,

  // Only looks. Whatever makes acting unsafe is a refusal here, with a reason that a person can use.
  async plan(context: PlaybookContext<Params, 'service'>) {
    const { probe, resource_id: service, params: { pid_file } } = context;
    const found = await look(context);
    const reason = `${pid_file} ${inWords(found)}`;
    if (found.kind === 'gone') return decline('healthy', 'PID_FILE_GONE', reason);
    if (found.kind === 'no_pid_file') return decline('refused', 'NO_PID_FILE', reason);
    if (found.alive === null) return decline('refused', 'PID_UNKNOWN', reason);
    if (found.alive) return decline('refused', 'PID_ALIVE', reason);
    const aside = `${pid_file}.stale-${found.pid}`;
    if ((await probe('command.check', { argv: ['test', '-e', aside], cwd: '/' })).exit_code !== 1) return decline('refused', 'ASIDE_TAKEN', `${aside} is there already`);
    const { instances } = await probe('service.status', { service });
    return {
      pid_file, aside, pid: found.pid, ready: instances.filter(isUp).map((one) => one.instance),
      errors: await probe('service.metric', { service, which: 'error' }),
    };
  },

  // Pure: from facts to exactly what will be done. An approver reads this, and nothing else is done.
  steps: ({ facts: { pid_file, aside, pid } }) => [step({
    id: 'move_aside', action: 'command.run', with: { argv: ['node', '-e', moveAside, pid_file, pid, aside], cwd: '/', repeatable: true },
    effect: `renames ${pid_file} to ${aside} if it still names pid ${pid} and nothing has that pid`, reversibility: 'compensable',
    compensate: undo('command.run', { argv: ['mv', '-n', aside, pid_file], cwd: '/', repeatable: true }),
  })],

  verify: {
    // What was detected, measured again: no pid file, or one of a process that lives, as the service has started since.
    async symptom(context) {
      const found = await look(context);
      return { ok: found.kind === 'gone' || (found.kind === 'pid' && found.alive === true), found: `${context.params.pid_file} ${inWords(found)}`, measured: found };
    },
    // Asked another way: what was moved is there, and holds the pid that was planned with.
    async independent({ probe, facts: { aside, pid } }) {
      const measured = await probe('command.check', { argv: ['cat', aside], cwd: '/' });
      const ok = measured.exit_code === 0 && measured.stdout.trim() === pid;
      return { ok, found: `${aside} ${ok ? 'holds' : 'does not hold'} pid ${pid}`, measured };
    },
    // Whatever was ready is still ready.
    must_not_regress: (context) => stillWell(context, context.facts.ready, context.facts.errors),
  },
  escalate: { severity: 'medium', next: 'restart_service', advice: 'Find out why the service leaves its pid file behind when it ends.' },
});
