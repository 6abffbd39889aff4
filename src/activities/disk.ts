/** Free disk for the data directory, and the floor below which no new work begins. */
import { statfs } from 'node:fs/promises';
import { bytesPerGb } from '../domain/workspaces.ts';
import { failure } from '../engine/failure.ts';
import { readWorkspaceSettings } from '../store/workspace-settings.ts';
import type { ActivityDeps } from './deps.ts';

export async function freeBytes(home: string): Promise<number> {
  const { bavail, bsize } = await statfs(home);
  return bavail * bsize;
}

/** @throws DISK_FULL when there is less free disk than the floor */
export async function refuseFullDisk({ config }: Pick<ActivityDeps, 'config'>): Promise<void> {
  const [{ disk_floor_gb }, free] = await Promise.all([readWorkspaceSettings(config.configFolder), freeBytes(config.home)]);
  if (free >= disk_floor_gb * bytesPerGb) return;
  throw failure('DISK_FULL', `less than ${disk_floor_gb} GiB are free at ${config.home}; make room there, or lower disk_floor_gb in config/workspaces.yaml`, true);
}
