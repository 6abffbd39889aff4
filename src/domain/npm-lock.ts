/** What a `package-lock.json` and its `package.json` say, and whether exactly that can be installed in a fresh folder. */

export interface LockedPackage { version: string; has_install_script: boolean }

export interface NpmLock {
  /** By folder, such as `node_modules/a/node_modules/b`. */
  packages: ReadonlyMap<string, LockedPackage>;
  /** Where they are fetched from. */
  hosts: string[];
  /** Why nobody may install by it; null when one may. */
  unusable: { code: string; reason: string } | null;
}

export interface NpmManifest {
  /** Every package that the project asks for itself, with the range. */
  dependencies: ReadonlyMap<string, string>;
}

const sections = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;

/** @throws SyntaxError when it is no JSON */
export function readNpmManifest(text: string): NpmManifest {
  const json = record(JSON.parse(text));
  return { dependencies: new Map(sections.flatMap((section) => Object.entries(record(json[section])).map(([name, range]) => [name, `${section}:${String(range)}`] as const))) };
}

/** @throws SyntaxError when it is no JSON */
export function readNpmLock(text: string): NpmLock {
  const json = record(JSON.parse(text));
  const packages = new Map<string, LockedPackage>();
  const hosts = new Set<string>();
  let unusable: NpmLock['unusable'] = null;
  const refuse = (code: string, reason: string): void => { unusable ??= { code, reason }; };
  if (json['lockfileVersion'] !== 2 && json['lockfileVersion'] !== 3) refuse('LOCK_FORMAT', `lock files of version ${String(json['lockfileVersion'])} are not known; 2 and 3 are`);
  for (const [folder, value] of Object.entries(record(json['packages']))) {
    if (folder === '') continue;
    const entry = record(value);
    const { version, resolved, integrity, link, inBundle } = entry;
    // What lies in the project itself would be missing in a fresh folder, and what is not hashed could be anything by now.
    if (folder.split('/').includes('..')) refuse('LOCK_FORMAT', `${folder} leads out of the project`);
    else if (link === true || !folder.startsWith('node_modules/') || (typeof resolved === 'string' && resolved.startsWith('file:'))) refuse('LOCAL_PACKAGE', `${folder} comes from a folder or file of the project`);
    else if (typeof version !== 'string') refuse('LOCK_FORMAT', `${folder} has no version`);
    else if (inBundle !== true && typeof integrity !== 'string') refuse('NOT_HASHED', `${folder} is locked without a hash of its content`);
    if (typeof resolved === 'string' && URL.canParse(resolved)) hosts.add(new URL(resolved).host);
    if (typeof version === 'string') packages.set(folder, { version, has_install_script: entry['hasInstallScript'] === true });
  }
  return { packages, hosts: [...hosts].filter((host) => host !== '').sort(), unusable };
}

/** Where a package is found from a folder: its own `node_modules` first, then outwards, as Node looks. */
export function foldersFor(name: string, from: string | null): string[] {
  const parts = from === null ? [] : from.split('/node_modules/');
  return parts.map((_, i) => `${parts.slice(0, parts.length - i).join('/node_modules/')}/node_modules/${name}`).concat(`node_modules/${name}`);
}

/** `node_modules/a/node_modules/@s/b` → `@s/b`. */
export const nameOfFolder = (folder: string): string => folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Folder of the package that a nested one belongs to; null for one at the top. */
export const holderOf = (folder: string): string | null => (folder.includes('/node_modules/') ? folder.slice(0, folder.lastIndexOf('/node_modules/')) : null);

const record = (value: unknown): Record<string, unknown> =>
  (typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : {});
