/** A leaf's place in the log as one text (c2sp.org/tlog-proof): index, audit path, checkpoint. */
import { rootFromInclusion } from './merkle.ts';
import { openCheckpoint, type Checkpoint, type Verifier } from './note.ts';

const header = 'c2sp.org/tlog-proof@v1';

/** @param index from 0 @param path hex, nearest first */
export const writeProof = (index: number, path: readonly string[], checkpoint: string): string =>
  [header, `index ${index}`, ...path.map((hash) => Buffer.from(hash, 'hex').toString('base64')), '', checkpoint].join('\n');

/** The signed checkpoint that holds this leaf at this index; a string says why it is not proved. */
export function checkProof(proof: string, leaf: string, index: number, verifiers: readonly Verifier[]): Checkpoint | string {
  const split = proof.indexOf('\n\n');
  const [first, at, ...hashes] = proof.slice(0, Math.max(0, split)).split('\n');
  if (split < 0 || first !== header || at !== `index ${index}`) return `it is no proof for index ${index}`;
  const path = hashes.map((hash) => Buffer.from(hash, 'base64'));
  if (path.some((hash) => hash.length !== 32)) return 'its path is not made of hashes';
  const checkpoint = openCheckpoint(proof.slice(split + 2), verifiers);
  if (checkpoint === undefined) return 'its checkpoint was not signed by a trusted key';
  const root = rootFromInclusion(index, checkpoint.size, leaf, path.map((hash) => hash.toString('hex')));
  return root === checkpoint.root ? checkpoint : `its path does not lead to the root of ${checkpoint.size} records`;
}
