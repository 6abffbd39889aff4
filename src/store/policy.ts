import type { Policy } from '../domain/policy.ts';
import { policySchema } from '../domain/schema/policy.ts';
import { readConfigFile } from './config-file.ts';

/** `config/policy.yaml`: read afresh for each mission, so that a change needs no restart; a bad file is refused. */
export const readPolicy = (configFolder: string): Promise<Policy> => readConfigFile(configFolder, 'policy.yaml', policySchema);
