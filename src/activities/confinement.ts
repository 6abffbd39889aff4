/** How commands of repositories run now: by the policy in force, on the level that this host gives. */
import { limitsOf } from '../domain/limits.ts';
import type { SandboxPolicy } from '../domain/sandbox.ts';
import type { CommandSpec } from '../domain/commands.ts';
import { readPolicy } from '../store/policy.ts';
import type { ActivityDeps } from './deps.ts';
import { bestOf } from './process/ladder.ts';

type Deps = Pick<ActivityDeps, 'config' | 'mirrors' | 'processes'>;

/** Our mirror can be read: the worktree's `.git` points there. */
export async function confinementOf({ config, mirrors }: Deps, repositoryId: string): Promise<{ sandbox: SandboxPolicy; readable: string[] }> {
  const { sandbox } = await readPolicy(config.configFolder);
  return { sandbox, readable: [mirrors.pathOf(repositoryId)] };
}

/** What of the confinement may change a result: part of the key of runs that missions share. */
export async function confinementFacts({ config, processes }: Deps, commands: readonly (CommandSpec | null)[]): Promise<Record<string, unknown>> {
  const [{ sandbox }, ladder] = await Promise.all([readPolicy(config.configFolder), processes.ladder()]);
  return {
    level: bestOf(ladder, sandbox), groups: ladder.groups?.version ?? 'none', readable: sandbox.readable, writable: sandbox.writable,
    limits: commands.map((command) => command && limitsOf(command.limits, sandbox.maximum)),
  };
}
