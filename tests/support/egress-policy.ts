import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** A policy under which our own requests may go to these addresses. @param allow `host:port` */
export const allowEgress = (configFolder: string, allow: readonly string[]): Promise<void> =>
  writeFile(join(configFolder, 'policy.yaml'), stringify({
    approvals: { required: 1, severities: [], on_protected_paths: true, on_vanished_tests: true, deadline_minutes: 10 },
    protected_paths: [], scan: { block_at: 'error' }, landing: { carry_approval: true }, observation: { allow_unobserved: true },
    egress: { allow: [...allow] },
  }));
