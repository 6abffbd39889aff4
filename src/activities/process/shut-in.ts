/** The commands that shut another command in: bubblewrap, or util-linux alone. */
import { enterScript } from '../../project.ts';
import { prepareRoot } from './mount-table.ts';
import type { Mount } from './view.ts';

export interface Shell {
  mounts: readonly Mount[];
  cwd: string;
  network: boolean;
  /** An empty folder of ours that the new root is built in. */
  root: string;
}

/** Process, network, IPC and host name of its own; no capability; dies with whoever started it. */
export function bwrapArgv(bwrap: string, { mounts, cwd, network }: Shell): string[] {
  return [
    bwrap, '--die-with-parent', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try',
    ...(network ? [] : ['--unshare-net']), '--cap-drop', 'ALL',
    '--proc', '/proc', '--dev', '/dev',
    // Root without capabilities still owns these files, and bubblewrap takes their folder for read-only already.
    ...(process.getuid!() === 0 ? ['--ro-bind', '/proc/sys', '/proc/sys'] : []),
    ...mounts.flatMap((mount) => {
      switch (mount.kind) {
        case 'read': return ['--ro-bind', mount.from, mount.at];
        case 'write': return ['--bind', mount.from, mount.at];
        case 'empty': return ['--tmpfs', mount.at];
        case 'nothing': return ['--ro-bind', '/dev/null', mount.at];
        case 'link': return ['--symlink', mount.to, mount.at];
      }
    }),
    '--remount-ro', '/', '--chdir', cwd, '--',
  ];
}

/** The same with unshare(1), mount(8) and setpriv(1); a user namespace only for whoever needs one. */
export async function unshareArgv(unshare: string, { mounts, cwd, network, root }: Shell): Promise<string[]> {
  const uid = process.getuid!();
  const table = `${root}.mounts`;
  const locks = await prepareRoot(mounts, root, table);
  return [
    unshare, '--mount', '--pid', '--ipc', '--uts', '--cgroup', ...(network ? [] : ['--net']),
    ...(uid === 0 ? [] : ['--user', '--map-root-user']), '--fork', '--kill-child',
    '/bin/sh', enterScript, root, table, cwd, uid === 0 ? '-' : `${uid}:${process.getgid!()}`, network ? 'network' : 'loopback',
    ...locks.flatMap(({ at, flags }) => [at, flags]), '--',
  ];
}
