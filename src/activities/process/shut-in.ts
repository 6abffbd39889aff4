/** The commands that shut another command in: bubblewrap, or util-linux alone. */
import { readFileSync } from 'node:fs';
import { enterScript } from '../../project.ts';
import type { Mount } from './view.ts';

export interface Shell {
  mounts: readonly Mount[];
  cwd: string;
  network: boolean;
  /** An empty folder of ours that the new root is built on. */
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
export function unshareArgv(unshare: string, { mounts, cwd, network, root }: Shell): string[] {
  const uid = process.getuid!();
  const points = mountPoints();
  return [
    unshare, '--mount', '--pid', '--ipc', '--uts', '--cgroup', ...(network ? [] : ['--net']),
    ...(uid === 0 ? [] : ['--user', '--map-root-user']), '--fork', '--kill-child',
    '/bin/sh', enterScript, root, cwd, uid === 0 ? '-' : `${uid}:${process.getgid!()}`,
    ...mounts.flatMap((mount) => {
      switch (mount.kind) {
        case 'read': return readSteps(mount, points);
        case 'write': return ['write', mount.from, mount.at];
        case 'empty': return ['empty', mount.at];
        case 'nothing': return ['nothing', mount.at];
        case 'link': return ['link', mount.to, mount.at];
      }
    }),
    ...(network ? [] : ['loopback']), ...(uid === 0 ? ['guard'] : []), '--',
  ];
}

interface Point { at: string; flags: string }

/** A bind mount of a folder brings what is mounted below it, and each of these is made read-only by itself. */
function readSteps({ from, at }: { from: string; at: string }, points: readonly Point[]): string[] {
  const holds = points.filter((point) => from === point.at || from.startsWith(point.at === '/' ? '/' : `${point.at}/`))
    .reduce<Point | undefined>((best, point) => (best === undefined || point.at.length >= best.at.length ? point : best), undefined);
  const below = points.filter((point) => point.at.startsWith(`${from}/`));
  return ['read', from, at, holds?.flags ?? '', ...below.flatMap((point) => ['lock', `${at}${point.at.slice(from.length)}`, point.flags])];
}

/** Mount points of this host with the flags that a remount in a user namespace must keep. */
function mountPoints(): Point[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line !== '').map((line) => {
    const [, , , , at = '', options = ''] = line.split(' ');
    const kept = options.split(',').filter((option) => ['nosuid', 'nodev', 'noexec'].includes(option));
    return {
      at: at.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
      flags: kept.map((option) => `,${option}`).join(''),
    };
  });
}
