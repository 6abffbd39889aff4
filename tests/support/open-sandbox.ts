import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

/** Lets the commands of a configuration write folders of the test's: gates and notes lie there. All else stays shut. */
export async function openToCommands(configFolder: string, ...folders: string[]): Promise<void> {
  const file = join(configFolder, 'policy.yaml');
  const policy = parse(await readFile(file, 'utf8')) as { sandbox?: object };
  await writeFile(file, stringify({ ...policy, sandbox: { ...policy.sandbox, writable: folders } }));
}

/** Lets commands see and name the host's processes, and write where the worker may: whoever kills one must find it. */
export async function inTheOpen(configFolder: string): Promise<void> {
  const file = join(configFolder, 'policy.yaml');
  const policy = parse(await readFile(file, 'utf8')) as { sandbox?: object };
  await writeFile(file, stringify({ ...policy, sandbox: { ...policy.sandbox, strongest: 'prlimit' } }));
}
