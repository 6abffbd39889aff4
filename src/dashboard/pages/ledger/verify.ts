/** Proofs checked by this browser itself: the server hands over what it claims, and here it is computed again. */
import { readCheckpoint, readVkey, verifyBytes, verifyNote, type Checkpoint, type Key, type Verdict } from './note.ts';
import { bytesOfBase64, canonical, hexOf, isConsistent, leafHash, rootFromInclusion, sha256, utf8, joined } from './tree.ts';

export interface Finding { verdict: Verdict; what: string; detail: string }

/** The part of a sealed record that is looked at here; all of it is hashed. */
export interface Sealed { seq: number; prev: string; type: string; payload_digest: string; subject: { mission_id: string | null } }
export interface Proved { record: Sealed; leaf_hash: string; proof: string }

export const worstOf = (findings: readonly Finding[]): Verdict =>
  (findings.some(({ verdict }) => verdict === 'broken') ? 'broken' : findings.some(({ verdict }) => verdict === 'unknown') || findings.length === 0 ? 'unknown' : 'holds');

const finding = (verdict: Verdict | boolean, what: string, detail: string): Finding =>
  ({ verdict: typeof verdict === 'string' ? verdict : verdict ? 'holds' : 'broken', what, detail });

const header = 'c2sp.org/tlog-proof@v1';

/** Checkpoint and path of a proof text; a string says why it is none. */
function readProof(proof: string, index: number): { path: string[]; note: string; checkpoint: Checkpoint } | string {
  const split = proof.indexOf('\n\n');
  const [first, at, ...hashes] = proof.slice(0, Math.max(0, split)).split('\n');
  if (split < 0 || first !== header || at !== `index ${index}`) return `it is no proof for index ${index}`;
  const path = hashes.map(bytesOfBase64);
  if (path.some((hash) => hash?.length !== 32)) return 'its path is not made of hashes';
  const note = proof.slice(split + 2);
  const checkpoint = readCheckpoint(note);
  return checkpoint === undefined ? 'it ends in no checkpoint' : { path: path.map((hash) => hexOf(hash!)), note, checkpoint };
}

async function signature(note: string, key: Key): Promise<Finding> {
  const verdict = await verifyNote(note, key);
  const detail = { holds: `signed by ${key.name}, key ${key.key_id}`, broken: `not signed by the key ${key.key_id}`, unknown: 'this browser has no Ed25519: the signature was not checked; missionctl verify does' };
  return finding(verdict, 'Signature of the checkpoint', detail[verdict]);
}

const noKey = (vkey: string): Finding => finding('broken', 'Key of the log', `${vkey === '' ? 'there is none' : vkey} is no verifier key: <name>+<8 hex digits>+<base64>`);

/** One record: its bytes, its path to the root, the signature, and that it follows the record before it. */
export async function verifyRecord({ record, leaf_hash, proof }: Proved, vkey: string, before: Pick<Proved, 'record'> | null): Promise<Finding[]> {
  const key = await readVkey(vkey);
  if (key === undefined) return [noKey(vkey)];
  const leaf = await leafHash(canonical(record));
  const read = readProof(proof, record.seq - 1);
  const findings = [finding(leaf === leaf_hash, 'Hash of the record', leaf === leaf_hash ? leaf : `computed ${leaf}, the server says ${leaf_hash}`)];
  if (typeof read === 'string') return [...findings, finding('broken', 'Path to the root', read)];
  const { checkpoint, note, path } = read;
  const root = await rootFromInclusion(record.seq - 1, checkpoint.size, leaf, path);
  findings.push(
    finding(root === checkpoint.root, 'Path to the root', root === checkpoint.root
      ? `${path.length} hashes lead to the root of ${checkpoint.size.toLocaleString()} records` : `it does not lead to the root of ${checkpoint.size.toLocaleString()} records`),
    await signature(note, key));
  const prev = before === null ? '0'.repeat(64) : await leafHash(canonical(before.record));
  findings.push(finding(record.prev === prev, 'Chain', record.prev === prev
    ? (before === null ? 'it is the first record' : `it follows record ${before.record.seq}`) : `broken: it does not name the hash of the record before it, ${prev}`));
  return findings;
}

/** A checkpoint, and that the ledger has only grown since the one that this browser saw last. */
export async function verifyCheckpoint(note: string, vkey: string, seen: string | null, consistency: (from: number, to: number) => Promise<string[]>): Promise<Finding[]> {
  const key = await readVkey(vkey);
  if (key === undefined) return [noKey(vkey)];
  const now = readCheckpoint(note);
  if (now === undefined) return [finding('broken', 'Checkpoint', 'it is none')];
  const findings = [await signature(note, key)];
  const then = seen === null ? undefined : readCheckpoint(seen);
  if (then === undefined) return [...findings, finding('holds', 'First sight', 'kept by this browser: the next one is held against it')];
  const what = 'Only grown since this browser looked';
  const sizes = `from ${then.size.toLocaleString()} to ${now.size.toLocaleString()} records`;
  if (then.origin !== now.origin) return [...findings, finding('broken', what, `it is another log: ${now.origin}, and was ${then.origin}`)];
  if (then.size > now.size) return [...findings, finding('broken', what, `broken: it shrank ${sizes}`)];
  const path = then.size === now.size ? [] : await consistency(then.size, now.size);
  const whole = await isConsistent(then.size, then.root, now.size, now.root, path);
  return [...findings, finding(whole, what, whole ? sizes : `broken: ${sizes}, and the earlier ones are no longer what they were`)];
}

interface Envelope { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] }
export interface Exported {
  mission_id: string; checkpoint: string; vkey: string; manifest: Envelope; statements: Envelope[];
  entries: { record: Sealed; salt: string | null; payload: Record<string, unknown> | null; proof: string }[];
}

/** DSSE: what was signed is the type and the bytes, each with its length. */
async function verifyEnvelope({ payloadType, payload, signatures }: Envelope, key: Key): Promise<Verdict> {
  const body = bytesOfBase64(payload);
  const sig = bytesOfBase64(signatures.find(({ keyid }) => keyid === key.key_id)?.sig ?? '');
  if (body === undefined || sig === undefined) return 'broken';
  return verifyBytes(key, sig, joined(utf8(`DSSEv1 ${utf8(payloadType).length} ${payloadType} ${body.length} `), body));
}

/** Everything that a mission's export claims: each record and payload, the checkpoint, and that nothing was left out. */
export async function verifyExport(file: Exported, vkey: string): Promise<Finding[]> {
  const key = await readVkey(vkey);
  if (key === undefined) return [noKey(vkey)];
  const head = readCheckpoint(file.checkpoint);
  const bad: string[] = [];
  const payloads: string[] = [];
  let redacted = 0;
  for (const { record, salt, payload, proof } of file.entries) {
    const read = readProof(proof, record.seq - 1);
    const root = typeof read === 'string' ? read : await rootFromInclusion(record.seq - 1, read.checkpoint.size, await leafHash(canonical(record)), read.path);
    if (typeof read === 'string' || read.note !== file.checkpoint || root !== head?.root) bad.push(`record ${record.seq} (${record.type})`);
    if (record.subject.mission_id !== file.mission_id && record.type !== 'log_key.added') bad.push(`record ${record.seq} is not of ${file.mission_id}`);
    if (salt === null || payload === null) redacted += 1;
    else if (await sha256(utf8(`${salt}\n${canonical(payload)}`)) !== record.payload_digest) payloads.push(`record ${record.seq} (${record.type})`);
  }
  const n = file.entries.length;
  return [
    finding(bad.length === 0, 'Records', bad.length === 0 ? `${n} records lead to the root of ${head?.size.toLocaleString()}` : `not in the ledger: ${bad.join(', ')}`),
    finding(payloads.length === 0, 'Payloads', payloads.length === 0
      ? `${n - redacted} are what was sealed${redacted === 0 ? '' : `, ${redacted} redacted`}` : `not what was sealed: ${payloads.join(', ')}`),
    await signature(file.checkpoint, key),
    await complete(file, key),
  ];
}

/** The manifest, signed, names exactly what is there. */
async function complete(file: Exported, key: Key): Promise<Finding> {
  const what = 'Nothing left out';
  const verdict = await verifyEnvelope(file.manifest, key);
  if (verdict !== 'holds') return finding(verdict, what, verdict === 'broken' ? 'its manifest was not signed by this key' : 'this browser has no Ed25519: the manifest was not checked');
  const said = (JSON.parse(new TextDecoder().decode(bytesOfBase64(file.manifest.payload))) as { predicate: { checkpoint: string; entries: string[]; statements: string[] } }).predicate;
  const digests = (lines: readonly unknown[]): Promise<string[]> => Promise.all(lines.map((line) => sha256(utf8(JSON.stringify(line)))));
  const same = said.checkpoint === await sha256(utf8(file.checkpoint))
    && canonical(said.entries) === canonical(await digests(file.entries)) && canonical(said.statements) === canonical(await digests(file.statements));
  const signed = await Promise.all(file.statements.map((statement) => verifyEnvelope(statement, key)));
  if (!same || signed.includes('broken')) return finding('broken', what, 'what is here is not what the signed manifest names');
  return finding('holds', what, `the signed manifest names these ${file.entries.length} records and ${file.statements.length} statements`);
}
