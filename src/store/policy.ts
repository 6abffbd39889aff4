/** `config/policy.yaml`: read afresh for each mission, so that a change needs no restart; a bad file is refused. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Policy } from '../domain/policy.ts';
import { policySchema } from '../domain/schema/policy.ts';

/** @throws Error naming the file and the field */
export async function readPolicy(configFolder: string): Promise<Policy> {
  const file = join(configFolder, 'policy.yaml');
  const parsed = policySchema.safeParse(parse(await readFile(file, 'utf8')));
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`${file} is not a policy: ${issues.join('; ')}`);
  }
  return parsed.data;
}
