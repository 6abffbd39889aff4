/** The data directory: made private, checked at each start, and what identifies this host in it. */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSigner, publicBytes, type Signer } from './ledger/note.ts';

/** Makes the data directory (mode 0700). @throws Error `INSECURE_PERMISSIONS` when others may read or write in it */
export async function openHome(home: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  await refuseOpen(home);
  await mkdir(join(home, 'keys'), { recursive: true, mode: 0o700 });
  await mkdir(join(home, 'scratch'), { recursive: true, mode: 0o700 });
  await mkdir(join(home, 'repositories'), { recursive: true, mode: 0o700 });
}

async function refuseOpen(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new Error(`INSECURE_PERMISSIONS: ${path} has mode ${(mode & 0o777).toString(8)}; others must have no access: chmod go-rwx ${path}`);
  }
}

/** @throws Error when a file that the operator named is not there, `INSECURE_PERMISSIONS` when others may read or write it */
export async function requirePrivate(files: readonly (string | undefined)[]): Promise<void> {
  for (const file of files) {
    if (file !== undefined) await refuseOpen(file).catch((error: NodeJS.ErrnoException) => { throw error.code === 'ENOENT' ? new Error(`there is no ${file}`) : error; });
  }
}

/**
 * A small secret or id in a file of mode 0600, made when it is not there. Several processes may ask at once: the first
 * file that appears is the one that all read.
 */
export async function fileOnce(path: string, make: () => string): Promise<string> {
  const existing = await readSecret(path);
  if (existing !== undefined) return existing;
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, `${make()}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary);
  }
  return (await readSecret(path))!;
}

/** @throws Error `INSECURE_PERMISSIONS` */
async function readSecret(path: string): Promise<string | undefined> {
  try {
    await refuseOpen(path);
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export interface LedgerPaths {
  folder: string;
  /** The log's public key, one line: what `missionctl verify` trusts. */
  vkey: string;
  /** Published checkpoints, one JSON object a line. */
  checkpoints: string;
  /** Bare repository with the same in a ref. */
  repository: string;
}

export function ledgerPaths(home: string): LedgerPaths {
  const folder = join(home, 'ledger');
  return { folder, vkey: join(folder, 'log.vkey'), checkpoints: join(folder, 'checkpoints.jsonl'), repository: join(folder, 'checkpoints.git') };
}

/**
 * The key that signs the ledger. The log is named after it, so that no two logs share a name.
 * @param missing what to do when the file is not there: only the sealer makes one
 * @throws Error when there is none, `INSECURE_PERMISSIONS`, or when the file holds no Ed25519 key
 */
export async function ledgerSigner(path: string, missing: 'make' | 'fail'): Promise<Signer> {
  const pem = missing === 'make' ? await fileOnce(path, newLedgerKey) : await readSecret(path);
  if (pem === undefined) throw new Error(`there is no ${path}: the ledger's key is on another host, or lost`);
  const name = createHash('sha256').update(publicBytes(pem)).digest('hex').slice(0, 12);
  return createSigner(`mission-control/${name}`, pem);
}

const newLedgerKey = (): string => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trim();

/** Names this host's checkouts; from a file, because host names change and data directories move. */
export const hostIdOf = (home: string): Promise<string> =>
  fileOnce(join(home, 'host-id'), () => randomBytes(6).toString('hex'));

/**
 * The namespace of the data directory's embedded engine, its own: a worker whose engine is dead for a moment must not take
 * work from another system's engine that got its port. Engines from before this rule keep `default`, where their missions are.
 */
export const namespaceOf = (home: string): Promise<string> => fileOnce(join(home, 'temporal.namespace'), () =>
  (existsSync(join(home, 'temporal.sqlite')) ? 'default' : `mission-control-${randomBytes(4).toString('hex')}`));

/** Pepper of the API keys' HMACs, outside the database. @throws Error when the file holds something else, or half of one */
export async function pepperOf(home: string): Promise<Buffer> {
  const path = join(home, 'keys', 'pepper');
  const text = await fileOnce(path, () => randomBytes(32).toString('hex'));
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Error(`${path} does not hold a pepper (64 hex digits): restore it, or every API key is void`);
  return Buffer.from(text, 'hex');
}
