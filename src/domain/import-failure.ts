/** What a program says when an import fails, read from its output. A claim: it chooses what is looked at, never what is installed. */

export interface ImportFailure {
  kind:
    /** A package is not found, or files of it are not. */
    | 'package'
    /** A compiled part does not load. */
    | 'native'
    /** The package is there and does not offer what is asked of it. */
    | 'export'
    /** A file of the project itself: a relative path, an alias. */
    | 'code'
    /** Failed for a reason that is no import, as far as its output tells. */
    | 'unclear';
  /** Package (npm) or top-level module (Python). */
  name: string | null;
  /** Folder of the package that imports it, or that the broken file lies in, within the project; null for the project's own code. */
  location: string | null;
  /** A file of it is asked for by path: it is damaged, or the code asks for what it never had. */
  by_path: boolean;
  /** The line of the output that this was read from; of any other failure only its kind, for its words may hold a secret. */
  message: string;
}

/** As long as any registry's name or path may be: the rest of a hostile line is not looked at. */
const maxMessage = 500;

/** @param roots the folder that packages lie in (npm: the project's; pip: the one on the path), as it is declared and as it really is */
export function readImportFailure(manager: 'npm' | 'pip', output: string, roots: readonly string[]): ImportFailure {
  // Programs print what they survived, too; what ended them comes last.
  const lines = output.slice(-64 * 1024).split('\n').map((line) => line.replace(/\p{Cc}/gu, ' ').trim().slice(0, maxMessage * 2));
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const found = manager === 'npm' ? nodeFailure(lines, at, roots) : pythonFailure(lines[at]!, roots);
    if (found !== null) return asFound({ location: null, by_path: false, name: null, ...found, message: lines[at]!.slice(0, maxMessage) });
    const other = errorKind(lines[at]!);
    if (other !== undefined) return { kind: 'unclear', name: null, location: null, by_path: false, message: other };
  }
  return { kind: 'unclear', name: null, location: null, by_path: false, message: '' };
}

/** What no registry would take as a name is none: nobody looks for it on the disk. */
const asFound = (failure: ImportFailure): ImportFailure =>
  (failure.name === null || isPackage(failure.name) || /^\w+$/.test(failure.name) ? failure : { ...failure, kind: 'code', name: null, location: null });

const errorKind = (line: string): string | undefined => /^((?:[\w.]+\.)?\w*(?:Error|Exception)(?: \[\w+\])?): /.exec(line)?.[1];

type Found = Pick<ImportFailure, 'kind'> & Partial<ImportFailure>;

function nodeFailure(lines: readonly string[], at: number, roots: readonly string[]): Found | null {
  const line = lines[at]!;
  const native = /^(?:Error: )?(\/.*\.node): /.exec(line)?.[1] ?? (line.startsWith('Error: Could not locate the bindings file') ? /\/.*\.node/.exec(lines[at + 1] ?? '')?.[0] : undefined);
  if (native !== undefined) return inPackage('native', native, roots);

  const missing = /Cannot find (?:module|package) '([^']+)'(?: imported from (.+))?/.exec(line);
  if (missing !== null) {
    const specifier = missing[1]!;
    const importer = missing[2] ?? (lines[at + 1] === 'Require stack:' ? lines[at + 2]!.replace(/^- /, '') : '');
    if (specifier.startsWith('/')) {
      return packageFolder(specifier) === null ? { kind: 'code' } : { ...inPackage('package', specifier, roots), by_path: true };
    }
    if (specifier.startsWith('.')) {
      // A package that lacks a file of its own is not the project's code.
      if (packageFolder(importer) === null) return { kind: 'code' };
      return { ...inPackage(specifier.endsWith('.node') ? 'native' : 'package', importer, roots), by_path: true };
    }
    return { kind: 'package', name: nameOf(specifier), location: locationOf(importer, roots), by_path: nameOf(specifier) !== specifier };
  }

  const unexported = /(?:Package subpath '[^']*' is not defined by "exports" in|No "exports" main defined in) (\/.+?)\/package\.json/.exec(line);
  if (unexported !== null) return inPackage('export', `${unexported[1]}/package.json`, roots);
  const unnamed = /The requested module '([^']+)' does not provide an export named/.exec(line)?.[1]
    ?? /Named export '[^']*' not found\. The requested module '([^']+)' is a CommonJS module/.exec(line)?.[1];
  if (unnamed !== undefined) return /^[./#]/.test(unnamed) ? { kind: 'code' } : { kind: 'export', name: nameOf(unnamed) };
  return /Package import specifier "[^"]*" is not defined/.test(line) ? { kind: 'code' } : null;
}

function pythonFailure(line: string, roots: readonly string[]): Found | null {
  const missing = /^ModuleNotFoundError: No module named '([\w.]+)'/.exec(line)?.[1];
  if (missing !== undefined) return { kind: 'package', name: missing.split('.')[0]!, by_path: missing.includes('.') };
  if (line.startsWith('ImportError: attempted relative import')) return { kind: 'code' };
  const unnamed = /^ImportError: cannot import name '[^']*' from (?:partially initialized module )?'([\w.]+)'/.exec(line)?.[1];
  if (unnamed !== undefined) return { kind: 'export', name: unnamed.split('.')[0]! };
  const native = /^ImportError: (\/\S+\.so(?:\.\S+)?): /.exec(line)?.[1];
  if (native === undefined) return null;
  const root = roots.find((root) => native.startsWith(`${root}/`));
  return { kind: 'native', name: root === undefined ? null : /^[^/.]+/.exec(native.slice(root.length + 1))?.[0] ?? null };
}

function inPackage(kind: 'package' | 'native' | 'export', path: string, roots: readonly string[]): Found {
  const folder = packageFolder(path);
  if (folder === null) return { kind: kind === 'native' ? 'native' : 'code' };
  return { kind, name: folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length), location: locationOf(path, roots) };
}

/** Everything up to and with the innermost package that a path lies in. */
const packageFolder = (path: string): string | null => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path.replace(/^file:\/\//, ''))?.[0] ?? null;

function locationOf(path: string, roots: readonly string[]): string | null {
  const folder = packageFolder(path);
  const root = folder === null || folder.includes('/../') ? undefined : roots.find((root) => folder.startsWith(`${root}/node_modules/`));
  return root === undefined ? null : folder!.slice(root.length + 1);
}

/** `@scope/name/deep/file` → `@scope/name`. */
const nameOf = (specifier: string): string => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');

/** What the registry would take as a name; anything else (`#alias`, `~/x`, `@/components`) is the project's own. */
const isPackage = (name: string): boolean => /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i.test(name) && name.length <= 214 && !name.startsWith('~');
