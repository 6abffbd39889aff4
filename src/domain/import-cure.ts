/** What may be done about an import that fails. Only what the last commit locks, by its hash, is ever installed. */
import type { Decline } from './healing.ts';
import type { ImportFailure } from './import-failure.ts';
import { distributionName } from './requirements.ts';

/** The package that is missing or broken, as the lock file that counts and the disk know it. */
export type PackageFacts = {
  /** Of the package (npm) or distribution (pip). */
  name: string;
  declared: boolean;
  locked: string | null;
  installed: string | null;
  /** Whether each of its files is there; null when nothing tells, as with npm. */
  complete: boolean | null;
  /** Where it is, or would be. */
  folder: string | null;
};

/** What can be said about a project's packages without changing anything. */
export type PackageState = {
  manager: 'npm' | 'pip';
  lock_file: string;
  /** Of the file as it lies there; null when there is none. */
  lock_sha256: string | null;
  /** The manifest and lock file that count: those of the commit, or, where the binding says so, the files themselves. */
  truth: { commit: string | null; manifest_sha256: string; lock_sha256: string } | null;
  /** Why there is nothing to go by. */
  no_truth: string | null;
  /** The project asks for other packages than its last commit does. */
  manifest_drifted: boolean;
  unusable: { code: string; reason: string } | null;
  /** Which folder the packages lie in, by device and inode; null when there is none. */
  live: string | null;
  /** Where the fresh folder would be made, and the old one be kept. */
  folder: string;
  package: PackageFacts | null;
  /** Direct dependencies, with the version locked and the version there. */
  top_level: { name: string; locked: string | null; installed: string | null }[];
  /** Packages with install scripts, which a clean install does not run. */
  scripted: { name: string; location: string | null }[];
  /** Allowed to be rebuilt, and locked. */
  rebuildable: string[];
  /** What the package manager finds wrong by itself. */
  problems: string[];
  hosts: string[];
};

export type ImportCure = {
  why: 'absent' | 'damaged' | 'other_version' | 'native' | 'lock_drift';
  reason: string;
  restore_lock: boolean;
};

const refused = (code: string, reason: string): Decline => ({ decline: 'refused', code, reason });
const mission = (code: string, reason: string): Decline => ({ decline: 'mission', code, reason });

/** @param rebuildAllowed packages whose compiled parts may be built here */
export function cureOf(failure: ImportFailure, state: PackageState, rebuildAllowed: readonly string[]): ImportCure | Decline {
  if (failure.kind === 'unclear') return { decline: 'not_applicable', code: 'NO_IMPORT_ERROR', reason: `the entry point fails for another reason: ${failure.message || 'it does not say which'}` };
  if (failure.kind === 'native' && failure.name === null) return refused('NOT_IN_PROJECT', `the compiled part that does not load lies in no folder of the project's packages: ${failure.message}`);
  if (failure.kind === 'code' || failure.name === null) return mission('IMPORT_IN_CODE', `the code imports a file of its own that is not there: ${failure.message}`);
  const found = state.package;
  if (found === null) return refused('PACKAGE_UNKNOWN', `${failure.name} could not be looked up`);
  // First of all, before anything about the lock could hide it.
  if (!found.declared && found.locked === null && state.truth !== null) {
    return mission('UNDECLARED_PACKAGE', `${failure.name} is imported, and neither declared nor locked. It is not installed: a name that nobody vetted may be somebody's trap (slopsquatting). Declaring it is a change that people review`);
  }
  const unfit = unfitToInstall(state);
  if (unfit !== null) return unfit;
  if (found.locked === null) return mission('NOT_LOCKED', `${found.name} is declared and not locked: a lock file is made by a change, not by healing`);
  if (failure.kind === 'native' && !rebuildAllowed.some((name) => (state.manager === 'pip' ? distributionName(name) : name) === found.name)) {
    return refused('REBUILD_NOT_ALLOWED', `the compiled part of ${found.name} does not load, and it is not among the packages that may be rebuilt`);
  }
  if (state.lock_sha256 !== state.truth!.lock_sha256) {
    return { why: 'lock_drift', restore_lock: true, reason: `${state.lock_file} differs from the one of commit ${state.truth!.commit?.slice(0, 12)}` };
  }
  const version = `${found.name}@${found.locked}`;
  if (found.installed === null) return { why: 'absent', restore_lock: false, reason: `${version} is declared and locked, and not there` };
  if (found.installed !== found.locked) return { why: 'other_version', restore_lock: false, reason: `${version} is locked, ${found.installed} is there` };
  if (failure.kind === 'native') return { why: 'native', restore_lock: false, reason: `the compiled part of ${version} does not load` };
  if (failure.kind === 'export') return mission('EXPORT_MISSING', `${version} is what the code was locked to, and does not offer what it asks for: ${failure.message}`);
  if (found.complete === true) {
    return failure.by_path ? mission('IMPORT_IN_CODE', `${version} has all of its files, and not the one that is asked for: ${failure.message}`)
      : refused('WHOLE_AND_NOT_FOUND', `${version} is there with all of its files: the entry point looks elsewhere`);
  }
  return { why: 'damaged', restore_lock: false, reason: `${version} is there and lacks a file: ${failure.message}` };
}

/** Why nothing may be installed here, whatever is missing. */
function unfitToInstall({ truth, no_truth, manifest_drifted, unusable, lock_file }: PackageState): Decline | null {
  if (truth === null) return refused('LOCK_UNKNOWN', no_truth ?? `${lock_file} is not known`);
  if (unusable !== null) return refused(unusable.code, unusable.reason);
  if (manifest_drifted) return refused('MANIFEST_DRIFT', 'the manifest asks for other packages than its last commit: somebody is changing it');
  return null;
}
