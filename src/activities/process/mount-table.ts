/** A root folder with every mount point in it, and the table from which mount(8) fills it in one go. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Mount } from './view.ts';

const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const deviceLinks = { ptmx: 'pts/ptmx', fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2' };
/** Root without capabilities still owns these files. */
const guarded = ['sys', 'sysrq-trigger', 'irq', 'bus'];

interface Point { at: string; flags: string }

/**
 * @param root an empty folder of ours
 * @param table where the table is written
 * @returns mount points below others that are read-only only once they are mounted again, with the flags they must keep
 */
export async function prepareRoot(mounts: readonly Mount[], root: string, table: string): Promise<Point[]> {
  await Promise.all(['proc', 'dev/pts', 'dev/shm'].map((path) => mkdir(join(root, path), { recursive: true })));
  await Promise.all([
    ...devices.map((name) => writeFile(join(root, 'dev', name), '')),
    ...Object.entries(deviceLinks).map(([name, to]) => symlink(to, join(root, 'dev', name))),
  ]);
  const points = mountPoints();
  const locks: Point[] = [];
  const lines = [
    line(root, root, 'none', 'bind'),
    line('proc', join(root, 'proc'), 'proc', 'nosuid,nodev,noexec'),
    ...(process.getuid!() === 0 ? guarded.map((name) => join(root, 'proc', name)).filter((path) => existsSync(path.slice(root.length))).map((path) => line(path, path, 'none', 'bind,ro')) : []),
    ...devices.map((name) => line(`/dev/${name}`, join(root, 'dev', name), 'none', 'bind')),
    line('devpts', join(root, 'dev', 'pts'), 'devpts', 'newinstance,ptmxmode=0666,mode=0620,nosuid,noexec'),
    line('none', join(root, 'dev', 'shm'), 'tmpfs', 'mode=1777,nosuid,nodev'),
  ];
  for (const [i, mount] of mounts.entries()) {
    const at = join(root, mount.at);
    await makePoint(mount, mounts.slice(0, i), root);
    if (mount.kind === 'read') {
      lines.push(line(mount.from, at, 'none', `rbind,ro${flagsAt(mount.from, points)},x-mount.mkdir`));
      locks.push(...points.filter((point) => point.at.startsWith(`${mount.from}/`)).map((point) => ({ at: `${at}${point.at.slice(mount.from.length)}`, flags: point.flags })));
    } else if (mount.kind === 'write') lines.push(line(mount.from, at, 'none', 'rbind,x-mount.mkdir'));
    else if (mount.kind === 'empty') lines.push(line('none', at, 'tmpfs', 'mode=0755,size=1m,nosuid,nodev'));
    else if (mount.kind === 'nothing') lines.push(line('/dev/null', at, 'none', 'bind'));
  }
  await writeFile(table, lines.join(''), { mode: 0o600 });
  return locks;
}

const escaped = (text: string): string => text.replaceAll(/[\\\s#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
const line = (from: string, at: string, type: string, options: string): string => `${escaped(from)} ${escaped(at)} ${type} ${options} 0 0\n`;

/** Where nothing is mounted above it, in the root folder; where a folder of the run's own is, in that. Elsewhere it is there. */
async function makePoint(mount: Mount, before: readonly Mount[], root: string): Promise<void> {
  const above = before.filter((one) => one.kind !== 'link' && mount.at.startsWith(`${one.at}/`)).at(-1);
  if (above !== undefined && !(above.kind === 'write' && (above.at === '/tmp' || above.at === '/var/tmp'))) return;
  const point = above?.kind === 'write' ? join(above.from, mount.at.slice(above.at.length)) : join(root, mount.at);
  if (mount.kind === 'link') {
    await mkdir(dirname(point), { recursive: true });
    return symlink(mount.to, point);
  }
  if ((mount.kind === 'read' || mount.kind === 'write') && !statSync(mount.from).isDirectory()) {
    await mkdir(dirname(point), { recursive: true });
    return writeFile(point, '', { flag: 'a' });
  }
  await mkdir(point, { recursive: true });
}

/** In a user namespace a bind mount must keep what its source has. */
function flagsAt(path: string, points: readonly Point[]): string {
  return points.filter((point) => path === point.at || point.at === '/' || path.startsWith(`${point.at}/`))
    .reduce<Point | undefined>((best, point) => (best === undefined || point.at.length >= best.at.length ? point : best), undefined)?.flags ?? '';
}

/** Mount points of this host. */
function mountPoints(): Point[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((text) => text !== '').map((text) => {
    const [, , , , at = '', options = ''] = text.split(' ');
    const kept = options.split(',').filter((option) => ['nosuid', 'nodev', 'noexec'].includes(option));
    return {
      at: at.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
      flags: kept.map((option) => `,${option}`).join(''),
    };
  });
}
