/** Bindings of playbooks to resources: the file, checked against what is declared and against each playbook's own parameters. */
import type { Binding } from '../domain/binding.ts';
import type { Json } from '../domain/healing.ts';
import type { Subsystem } from '../domain/subsystem.ts';
import { bindingsSchema } from '../domain/schema/playbooks.ts';
import { readConfigFile } from '../store/config-file.ts';
import { readSubsystems } from '../store/subsystems.ts';
import { playbooks } from '../workflows/playbooks/index.ts';

/** @throws Error naming the file and every binding that is wrong */
export async function readBindings(configFolder: string): Promise<{ bindings: Binding[]; subsystems: Subsystem[] }> {
  const [file, subsystems] = await Promise.all([
    readConfigFile(configFolder, 'playbooks.yaml', bindingsSchema), readSubsystems(configFolder),
  ]);
  const wrong: string[] = [];
  const bindings = file.playbooks.map((entry, index): Binding => {
    const at = `playbooks.${index}`;
    const playbook = playbooks.get(entry.playbook);
    const resources = subsystems.find(({ subsystem_id }) => subsystem_id === entry.subsystem)?.resources ?? {};
    const resource = Object.hasOwn(resources, entry.resource) ? resources[entry.resource] : undefined;
    if (playbook === undefined) wrong.push(`${at}.playbook: there is no playbook ${entry.playbook}`);
    if (resource === undefined) wrong.push(`${at}.resource: ${entry.subsystem} declares no resource ${entry.resource}`);
    else if (playbook !== undefined && !playbook.match.resources.includes(resource.kind)) {
      wrong.push(`${at}.resource: ${entry.playbook} does not work on ${resource.kind}`);
    }
    const params = playbook?.params.safeParse(entry.params);
    for (const issue of params?.error?.issues ?? []) wrong.push(`${at}.params.${issue.path.join('.')}: ${issue.message}`);
    return {
      playbook_id: entry.playbook, subsystem_id: entry.subsystem, resource_id: entry.resource,
      params: (params?.data ?? null) as Json, approval: entry.approval, limits: entry.limits, observe: entry.observe,
    };
  });
  if (wrong.length > 0) throw new Error(`playbooks.yaml is not usable: ${wrong.join('; ')}`);
  return { bindings, subsystems };
}
