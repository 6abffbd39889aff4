/**
 * An entry point that does not load because an import fails. What is declared and locked is installed afresh beside what is in
 * use and put in its place; what nobody declared is never installed, whatever asks for it.
 */
import { z } from 'zod';
import { cureOf, type PackageState } from '../../domain/import-cure.ts';
import { isDecline, type Json } from '../../domain/healing.ts';
import { holderOf } from '../../domain/npm-lock.ts';
import { decline, definePlaybook, step, undo, type PlaybookContext } from './playbook.ts';

const paramsSchema = z.strictObject({
  /** pip: the folder on PYTHONPATH that the packages lie in, below the project. */
  site_dir: z.string().min(1).max(500).nullable().default(null),
  /** pip: the file that locks them, with hashes. */
  requirements: z.string().min(1).max(500).default('requirements.txt'),
  /** pip: which distribution a module comes from, where it is called otherwise, such as `{yaml: PyYAML}`. */
  modules: z.record(z.string(), z.string()).default({}),
  /** npm: kinds of dependencies that are not installed here. */
  omit: z.array(z.enum(['dev', 'optional', 'peer'])).max(3).default([]),
  /** Whose lock file counts: that of `revision`, or, for a project that is no git checkout, the file as it lies there. */
  lock_truth: z.enum(['commit', 'file']).default('commit'),
  /** Branch, tag or commit that is known to be good. */
  revision: z.string().min(1).max(200).default('HEAD'),
  check_timeout_seconds: z.number().positive().max(600).default(60),
  install_timeout_seconds: z.number().positive().max(3_600).default(900),
});
type Params = z.output<typeof paramsSchema>;
type Context = PlaybookContext<Params, 'packages'>;

type Named = { name: string; location: string | null };
type Facts = {
  why: string;
  reason: string;
  restore_lock: boolean;
  /** The package that failed, and the version that is locked. */
  package: Named & { version: string };
  state: Pick<PackageState, 'manager' | 'lock_file' | 'lock_sha256' | 'live' | 'folder' | 'rebuildable' | 'problems' | 'hosts'>;
  truth: NonNullable<PackageState['truth']>;
  /** Direct dependencies that are as locked and are found. */
  sound: Named[];
  /** Packages whose install scripts will not run, and that load now. */
  loading: Named[];
};

const place = ({ params: { site_dir, requirements } }: { params: Params }) => ({ site_dir, requirements });
const revisionOf = ({ lock_truth, revision }: Params): string | null => (lock_truth === 'commit' ? revision : null);

const check = (context: Context) => context.probe('packages.check', { ...place(context), timeout_seconds: context.params.check_timeout_seconds });

const stateOf = (context: Context, revision: string | null, wanted: Partial<Named> = {}): Promise<PackageState> =>
  context.probe('packages.state', { ...place(context), revision, modules: context.params.modules, omit: context.params.omit, ...wanted });

async function plan(context: Context) {
  const { params, resource } = context;
  const checked = await check(context);
  if (checked.ok) return decline('healthy', 'IMPORTS_LOAD', 'the entry point loads');
  if (checked.timed_out || checked.failure === null) return decline('not_applicable', 'CHECK_TIMED_OUT', `the entry point did not end within ${params.check_timeout_seconds} s`);
  const { failure } = checked;
  const { name, location } = failure;
  const state = await stateOf(context, revisionOf(params), { ...(name === null ? {} : { name }), location });
  const cure = cureOf(failure, state, resource.rebuild_allowed);
  const seen: Json = { failure, package: state.package, lock_sha256: state.lock_sha256, truth: state.truth };
  if (isDecline(cure)) return { ...cure, facts: seen };
  const { top_level, truth, scripted, rebuildable } = state;
  const asLocked = top_level.filter((one) => one.locked !== null && one.locked === one.installed).map((one) => ({ name: one.name, location: null }));
  const quiet = scripted.filter((one) => !rebuildable.includes(one.name)).slice(0, 50);
  return {
    ...cure, truth: truth!, package: { name: state.package!.name, location: holderOf(state.package!.folder ?? ''), version: state.package!.locked! },
    state: { manager: state.manager, lock_file: state.lock_file, lock_sha256: state.lock_sha256, live: state.live, folder: state.folder, rebuildable, problems: state.problems, hosts: state.hosts },
    sound: await found(context, asLocked), loading: await found(context, quiet, 'load'),
  };
}

/** Those of them that are found, or, where asked, load. */
async function found(context: Context, packages: Named[], how: 'find' | 'load' = 'find'): Promise<Named[]> {
  const answers = await context.probe('packages.resolve', { ...place(context), packages, load: how === 'load' });
  return packages.filter((_, i) => (how === 'load' ? answers[i]?.loads === true : answers[i]?.resolves === true));
}

const missingFrom = (before: readonly Named[], now: readonly Named[]): string[] =>
  before.filter((one) => !now.some(({ name, location }) => name === one.name && location === one.location)).map(({ name }) => name);

export const importError = definePlaybook<Params, Facts, 'packages'>({
  id: 'import_error',
  version: 1,
  title: 'Put missing packages back',
  match: { symptoms: ['import_error'], resources: ['packages'] },
  risk: 'medium',
  params: paramsSchema,
  plan,

  steps({ facts: { reason, restore_lock, truth, state, package: failing }, params, resource }) {
    const { live, folder, rebuildable, lock_file, manager, hosts } = state;
    const where = place({ params });
    const locked = { ...where, ...truth, folder };
    const packages = manager === 'npm' ? 'node_modules' : params.site_dir!;
    const from = hosts.length === 0 ? '' : `, from ${hosts.join(', ')}`;
    const lockOf = truth.commit === null ? lock_file : `${lock_file} of commit ${truth.commit.slice(0, 12)}`;
    const timeout_seconds = Math.ceil(params.install_timeout_seconds * 2 + 60);
    const drifted = { ...locked, drifted_sha256: state.lock_sha256 };
    return [
      step({
        id: 'install', action: 'packages.install', timeout_seconds, reversibility: 'reversible',
        with: { ...locked, omit: params.omit, rebuild: rebuildable, timeout_seconds: params.install_timeout_seconds },
        effect: `${reason}. Everything in ${lockOf} is installed by its hash into a fresh folder of ${resource.path}${from}; scripts run for ${rebuildable.length === 0 ? 'no package' : rebuildable.join(', ')}; nothing in use is touched`,
      }),
      ...(restore_lock ? [step({
        id: 'restore-lock', action: 'packages.restore_lock', with: drifted, reversibility: 'compensable', compensate: undo('packages.return_lock', drifted),
        effect: `${lock_file}, which drifted, is replaced by ${lockOf}; the drifted one is kept in ${folder}`,
      })] : []),
      step({
        id: 'swap', action: 'packages.swap', with: { ...where, folder, live }, reversibility: 'compensable', compensate: undo('packages.swap_back', { ...where, folder, live }),
        effect: `the fresh ${packages}, with ${failing.name}@${failing.version}, takes the place of the one in use${live === null ? '' : `, which is kept in ${folder}`}`,
      }),
    ];
  },

  verify: {
    async symptom(context) {
      const checked = await check(context);
      return { ok: checked.ok, found: checked.ok ? 'the entry point loads' : `the entry point does not load: ${checked.failure?.message ?? 'time limit'}`, measured: checked };
    },

    /** A fresh process that is not the entry point finds the package, in the version that is locked. */
    async independent(context) {
      const { name, location, version } = context.facts.package;
      const [answer] = await context.probe('packages.resolve', { ...place(context), packages: [{ name, location }] });
      const ok = answer?.resolves === true && answer.version === version;
      return { ok, found: `${name} ${answer?.resolves === true ? `is found as ${answer.version}` : 'is not found'}, ${version} is locked`, measured: answer ?? null };
    },

    async must_not_regress(context) {
      const { facts, params } = context;
      const now = await stateOf(context, facts.truth.commit ?? revisionOf(params));
      const asLocked = now.top_level.filter((one) => one.locked !== null && one.locked === one.installed).map((one) => ({ name: one.name, location: null }));
      const worse = [
        ...missingFrom(facts.sound, await found(context, asLocked)).map((name) => `${name} is no longer found as locked`),
        ...missingFrom(facts.loading, await found(context, facts.loading, 'load')).map((name) => `${name} no longer loads: its install script did not run`),
        ...now.problems.filter((problem) => !facts.state.problems.includes(problem)),
        ...(now.lock_sha256 === facts.truth.lock_sha256 ? [] : [`${now.lock_file} is not what it should be`]),
      ];
      return { ok: worse.length === 0, found: worse.length === 0 ? `${facts.sound.length} other packages are found as locked, and the lock file is that of the plan` : worse.slice(0, 20).join('; '), measured: worse.slice(0, 100) };
    },
  },

  escalate: { severity: 'high', next: null, advice: 'A clean install of what is locked does not make it load: the code, or what it is locked to, must change.' },
});
