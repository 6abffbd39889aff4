/** Where a host keeps what setup commands made and downloaded. Each repository has folders of its own. */
import { join } from 'node:path';

export const keptFolder = (home: string): string => join(home, 'caches', 'dependencies');
export const keptFile = (home: string, kept: { repository_id: string; key: string; sha256: string }): string =>
  join(keptFolder(home), kept.repository_id, `${kept.key}-${kept.sha256.slice(0, 16)}.tar`);

export const downloadsFolder = (home: string): string => join(home, 'caches', 'downloads');

/** The package managers' own caches of one repository, told to a setup command by its environment. */
export function downloadCaches(home: string, repositoryId: string): { folder: string; env: Record<string, string> } {
  const folder = join(downloadsFolder(home), repositoryId);
  return {
    folder,
    env: {
      npm_config_cache: join(folder, 'npm'), YARN_CACHE_FOLDER: join(folder, 'yarn'), npm_config_store_dir: join(folder, 'pnpm'),
      PIP_CACHE_DIR: join(folder, 'pip'), UV_CACHE_DIR: join(folder, 'uv'), POETRY_CACHE_DIR: join(folder, 'poetry'),
    },
  };
}
