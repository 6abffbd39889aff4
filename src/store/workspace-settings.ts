import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceSettingsSchema } from '../domain/schema/workspaces.ts';
import type { WorkspaceSettings } from '../domain/workspaces.ts';
import { readConfigFile } from './config-file.ts';

/** `config/workspaces.yaml`: read afresh each time, so that a change needs no restart; without the file the defaults hold, a bad one is refused. */
export async function readWorkspaceSettings(configFolder: string): Promise<WorkspaceSettings> {
  if (!existsSync(join(configFolder, 'workspaces.yaml'))) return workspaceSettingsSchema.parse({});
  return readConfigFile(configFolder, 'workspaces.yaml', workspaceSettingsSchema);
}
