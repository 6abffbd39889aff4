/** The file system that a shut-in command sees: what is named here, and nothing else of this host. */
import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import { reporterFolder, startScript } from '../../project.ts';
import { networkFiles, toolFolders } from './environment.ts';

export type Mount =
  | { kind: 'read' | 'write'; from: string; at: string }
  /** A folder with nothing in it. */
  | { kind: 'empty'; at: string }
  /** A file with nothing in it. */
  | { kind: 'nothing'; at: string }
  | { kind: 'link'; to: string; at: string };

export interface Wanted {
  cwd: string;
  home: string;
  tmp: string;
  /** What the command finds at /tmp and /var/tmp. */
  slashTmp: string;
  /** Folders of ours that no command may see, the data directory first. */
  hidden: readonly string[];
  readable: readonly string[];
  writable: readonly string[];
  network: boolean;
  env: Readonly<Record<string, string>>;
}

const system = ['/usr', '/etc', '/opt', '/nix/store'];
/** On a merged /usr these are links, elsewhere folders. */
const besides = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Inside of what is shown, and nobody's business. */
const secrets = ['/etc/shadow', '/etc/shadow-', '/etc/gshadow', '/etc/gshadow-', '/etc/sudoers', '/etc/sudoers.d', '/etc/ssh', '/etc/ssl/private'];
/** Registry tokens that lie where the tool itself does. */
const credentials = ['credentials', 'credentials.toml'];

/** Parents come before what lies in them; of two things at one place the later one counts. */
export function viewOf(wanted: Wanted): Mount[] {
  const homes = [homedir(), userInfo().homedir];
  const hidden = [...wanted.hidden, ...homes];
  const tools = toolPaths(wanted, hidden).filter((path) => existsSync(path));
  const named = [...new Set([...system, ...tools, reporterFolder, startScript, ...wanted.readable])].filter((path) => existsSync(path));
  // What lies in another of them is shown with it, unless something hidden lies between.
  const read = named.filter((path) => !named.some((other) => other !== path && isInside(path, other)
    && ![...hidden, '/tmp', '/var/tmp'].some((secret) => isInside(path, secret) && isInside(secret, other))));
  const git = join(wanted.cwd, '.git');
  const mounts: Mount[] = [
    ...besides.flatMap((path): Mount[] => systemFolder(path)),
    ...read.map((path): Mount => ({ kind: 'read', from: path, at: path })),
    ...(wanted.network ? resolver() : []),
    ...secrets.filter((path) => existsSync(path)).map(masked),
    ...tools.flatMap((path) => credentials.map((name) => join(path, name))).filter((path) => existsSync(path)).map(masked),
    // Where a folder that is shown holds one that must not be.
    ...hidden.filter((path) => existsSync(path) && read.some((shown) => isInside(path, shown) && path !== shown)).map(masked),
    ...['/tmp', '/var/tmp'].map((at): Mount => ({ kind: 'write', from: wanted.slashTmp, at })),
    ...[wanted.cwd, wanted.home, wanted.tmp, ...wanted.writable].map((path): Mount => ({ kind: 'write', from: path, at: path })),
    // Whoever writes it decides what our own git reads here next.
    ...(lstatSync(git, { throwIfNoEntry: false })?.isFile() ? [{ kind: 'read', from: git, at: git } as const] : []),
  ];
  const last = new Map(mounts.map((mount) => [mount.at, mount]));
  return [...last.values()].toSorted((a, b) => depth(a.at) - depth(b.at) || (a.at < b.at ? -1 : 1));
}

const depth = (path: string): number => path.split('/').length;
const isInside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder === '/' ? '' : folder}/`);
const masked = (at: string): Mount => ({ kind: statSync(at).isDirectory() ? 'empty' : 'nothing', at });

function systemFolder(path: string): Mount[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  return [found.isSymbolicLink() ? { kind: 'link', to: readlinkSync(path), at: path } : { kind: 'read', from: path, at: path }];
}

/** /etc/resolv.conf is often a link into /run. */
function resolver(): Mount[] {
  try {
    const target = realpathSync('/etc/resolv.conf');
    return target.startsWith('/etc/') ? [] : [{ kind: 'read', from: target, at: target }];
  } catch {
    return [];
  }
}

/** Where tools are, though it be below the real HOME: read-only, and never that HOME itself or a folder around it. */
function toolPaths({ env, network }: Wanted, hidden: readonly string[]): string[] {
  const named = [
    ...(env['PATH'] ?? '').split(delimiter).filter(isAbsolute).flatMap(around),
    ...around(dirname(process.execPath)),
    ...[...toolFolders, ...(network ? networkFiles : [])].flatMap((name) => (env[name] ?? '').split(delimiter)).filter(isAbsolute),
  ].map((path) => path.replace(/\/+$/, ''));
  return [...new Set(named)].filter((path) => path !== '' && !system.some((shown) => isInside(path, shown))
    && !besides.includes(path) && !hidden.some((secret) => isInside(secret, path)));
}

/** A folder of programs, and what they stand in: `lib` and `share` lie beside `bin`. */
function around(folder: string): string[] {
  let real = folder;
  try { real = realpathSync(folder); } catch { return []; }
  return [folder, real].flatMap((path) => {
    const parent = dirname(path);
    if (!['bin', 'sbin', 'shims'].includes(basename(path)) || parent === '/') return [path];
    // ~/.local/share holds key rings.
    return basename(parent) === '.local' ? [path, join(parent, 'lib')] : [path, parent];
  });
}
