/** Where a host keeps what setup commands made and downloaded. Each repository has folders of its own. */
import { join } from 'node:path';

export const keptFolder = (home: string): string => join(home, 'caches', 'dependencies');
export const keptFile = (home: string, kept: { repository_id: string; key: string; sha256: string }): string =>
  join(keptFolder(home), kept.repository_id, `${kept.key}-${kept.sha256.slice(0, 16)}.tar`);

export const downloadsFolder = (home: string): string => join(home, 'caches', 'downloads');
