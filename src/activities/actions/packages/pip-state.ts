/** What a requirements file and a folder of installed distributions say about one module, and about all of them. */
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PackageFacts } from '../../../domain/import-cure.ts';
import { distributionName, readRequirements } from '../../../domain/requirements.ts';
import type { Findings, Wanted } from './npm-state.ts';
import { fileOf, type Truth } from './truth.ts';
import type { Place } from './place.ts';

interface Distribution { name: string; version: string; files: string[] }

/** Files of one distribution that are looked for; more are taken to be there. */
const maxFiles = 20_000;

/** @param modules which distribution a module comes from, where it is called otherwise: `{yaml: PyYAML}` */
export async function pipFindings(
  place: Place, truth: Truth | null, { name: module }: Wanted, modules: Readonly<Record<string, string>>,
): Promise<Findings> {
  const text = truth?.lock ?? await fileOf(place.project, place.lock);
  const { pins, unusable } = readRequirements(text?.toString('utf8') ?? '');
  const distributions = await distributionsIn(place.live);
  const installed = (name: string): string | null => distributions.get(name)?.version ?? null;
  const found: PackageFacts | null = module === null ? null : await (async () => {
    const name = distributionOf(module, modules, distributions);
    const complete = distributions.has(name) ? await isComplete(place.live, distributions.get(name)!) : null;
    return { name, declared: pins.has(name), locked: pins.get(name) ?? null, installed: installed(name), complete, folder: null };
  })();
  const top_level = [...pins].map(([name, locked]) => ({ name, locked, installed: installed(name) }));
  return {
    // One file is both.
    manifest_drifted: false,
    unusable: truth === null ? null : unusable,
    package: found,
    top_level,
    scripted: [],
    // Wheels come built.
    rebuildable: [],
    problems: top_level.filter(({ locked, installed }) => locked !== installed).map(({ name, locked, installed }) => `${name}: ${locked} is required, ${installed ?? 'nothing'} is there`).sort(),
    hosts: [],
  };
}

/** Said by the binding, or by what is installed, or by the same name; never guessed. */
function distributionOf(module: string, modules: Readonly<Record<string, string>>, distributions: ReadonlyMap<string, Distribution>): string {
  if (Object.hasOwn(modules, module)) return distributionName(modules[module]!);
  const owner = [...distributions.values()].find(({ files }) =>
    files.some((file) => file.startsWith(`${module}/`) || file === `${module}.py` || (file.startsWith(`${module}.`) && file.endsWith('.so'))));
  return owner?.name ?? distributionName(module);
}

async function distributionsIn(folder: string): Promise<Map<string, Distribution>> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found = new Map<string, Distribution>();
  for (const entry of entries.filter((name) => name.endsWith('.dist-info'))) {
    const metadata = await readFile(join(folder, entry, 'METADATA'), 'utf8').catch(() => '');
    const name = /^Name: (.+)$/m.exec(metadata)?.[1]?.trim();
    const version = /^Version: (.+)$/m.exec(metadata)?.[1]?.trim();
    if (name === undefined || version === undefined) continue;
    const record = await readFile(join(folder, entry, 'RECORD'), 'utf8').catch(() => '');
    found.set(distributionName(name), { name: distributionName(name), version, files: record.split('\n').map(fileOfRecord).filter((file) => file !== '') });
  }
  return found;
}

/** First column of a line of RECORD, quoted when it holds a comma. */
const fileOfRecord = (line: string): string => (line.startsWith('"') ? /^"((?:[^"]|"")*)"/.exec(line)?.[1]?.replaceAll('""', '"') ?? '' : line.split(',')[0]!).trim();

async function isComplete(folder: string, { files }: Distribution): Promise<boolean | null> {
  if (files.length === 0) return null;
  const own = files.filter((file) => !file.startsWith('/') && !file.split('/').includes('..') && !file.endsWith('.pyc')).slice(0, maxFiles);
  for (const file of own) {
    if (!await access(join(folder, file)).then(() => true, () => false)) return false;
  }
  return true;
}
