/**
 * Says of packages whether they are found from the working folder, in which version, and whether they load.
 *
 * usage: node --experimental-import-meta-resolve find-packages <{"packages": [{"name", "location"}], "load"}>
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const { packages, load } = /** @type {{ packages: { name: string, location: string | null }[], load: boolean }} */ (JSON.parse(process.argv[2] ?? ''));
const root = process.cwd();

/** @param {string} name @param {string} from @returns {string | null} */
function versionOf(name, from) {
  const folders = createRequire(from).resolve.paths(name) ?? [];
  const manifest = folders.filter((folder) => folder.startsWith(`${root}/`)).map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path));
  return manifest === undefined ? null : JSON.parse(readFileSync(manifest, 'utf8')).version ?? null;
}

/** @param {string} name @param {string} from @returns {{ address: string | null, parts_only: boolean }} */
function addressOf(name, from) {
  try {
    const address = import.meta.resolve(name, pathToFileURL(from));
    return { address: address.startsWith('file:') && existsSync(fileURLToPath(address)) ? address : null, parts_only: false };
  } catch (error) {
    // It offers parts of itself under names of their own, and nothing under this one.
    return { address: null, parts_only: /** @type {NodeJS.ErrnoException} */ (error).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' };
  }
}

const found = [];
for (const { name, location } of packages) {
  const from = join(root, location ?? '.', 'index.js');
  const { address, parts_only } = addressOf(name, from);
  const loads = !load ? null : address !== null && await import(address).then(() => true, () => false);
  found.push({ name, version: versionOf(name, from), resolves: address !== null || parts_only, loads });
}
process.stdout.write(`\n${JSON.stringify(found)}\n`, () => process.exit(0));
