/**
 * Signed notes and checkpoints as C2SP has them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), with Ed25519 keys.
 * Any tool that reads those formats reads ours.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';

const ed25519 = 0x01;
/** DER header of an Ed25519 SubjectPublicKeyInfo; the 32 bytes of the key follow it (RFC 8410). */
const spkiHeader = Buffer.from('302a300506032b6570032100', 'hex');

/** A public key with the name that it signs under. */
export interface Verifier {
  name: string;
  /** First four bytes of SHA-256(name, newline, algorithm, key) as 8 hex digits: a hint which key, not proof. */
  key_id: string;
  key: KeyObject;
  /** `<name>+<key id>+<base64 of algorithm and key>`: one line to hand on and to trust. */
  vkey: string;
}

export interface Signer extends Verifier {
  /** Signature line of a note's text. */
  sign(text: string): string;
  /** Ed25519 over any bytes, for formats that say themselves what they are. */
  signBytes(bytes: Buffer): Buffer;
}

function verifierOf(name: string, raw: Buffer): Verifier {
  if (!/^[^\s+]+$/u.test(name)) throw new Error(`a key's name has neither spaces nor plus signs: ${name}`);
  const bytes = Buffer.concat([Buffer.from([ed25519]), raw]);
  const key_id = createHash('sha256').update(`${name}\n`).update(bytes).digest('hex').slice(0, 8);
  const key = createPublicKey({ key: Buffer.concat([spkiHeader, raw]), format: 'der', type: 'spki' });
  return { name, key_id, key, vkey: `${name}+${key_id}+${bytes.toString('base64')}` };
}

/** @throws Error when the line is no vkey of an Ed25519 key, or its id does not match its bytes */
export function parseVkey(line: string): Verifier {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(line.trim()) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64');
  if (name === undefined || bytes.length !== 33 || bytes[0] !== ed25519) throw new Error('not a verifier key: <name>+<8 hex digits>+<base64>');
  const verifier = verifierOf(name, bytes.subarray(1));
  if (verifier.key_id !== id) throw new Error(`the id of this key is ${verifier.key_id}, not ${id}`);
  return verifier;
}

/** @param pem a PKCS #8 Ed25519 private key; read once, because a PEM for every signature costs ten times as much */
export function createSigner(name: string, pem: string): Signer {
  const secret = createPrivateKey(pem);
  if (secret.asymmetricKeyType !== 'ed25519') throw new Error('the log key is not an Ed25519 key');
  const verifier = verifierOf(name, publicBytes(pem));
  return {
    ...verifier,
    signBytes: (bytes) => sign(null, bytes, secret),
    sign(text) {
      const signature = Buffer.concat([Buffer.from(verifier.key_id, 'hex'), sign(null, Buffer.from(text), secret)]);
      return `— ${name} ${signature.toString('base64')}\n`;
    },
  };
}

/** The 32 bytes of the public key that belongs to a private one. */
export const publicBytes = (pem: string): Buffer =>
  createPublicKey(pem).export({ type: 'spki', format: 'der' }).subarray(spkiHeader.length);

/** Text and signature lines as one note. */
export const sealNote = (text: string, ...signers: readonly Signer[]): string =>
  `${text}\n${signers.map((signer) => signer.sign(text)).join('')}`;

/**
 * The text of a note when at least one of the given keys signed it and none of their signatures is wrong.
 * Signatures of other keys are passed over, as the format wants.
 */
export function openNote(note: string, verifiers: readonly Verifier[]): { text: string; by: Verifier } | undefined {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return undefined;
  const text = note.slice(0, split + 1);
  let by: Verifier | undefined;
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
    if (name === undefined) return undefined;
    const bytes = Buffer.from(encoded!, 'base64');
    const verifier = verifiers.find((one) => one.name === name && one.key_id === bytes.subarray(0, 4).toString('hex'));
    if (verifier === undefined) continue;
    if (!verify(null, Buffer.from(text), verifier.key, bytes.subarray(4))) return undefined;
    by ??= verifier;
  }
  return by && { text, by };
}

/** A tree head: the log's name, how many leaves, and the root over them. */
export interface Checkpoint {
  origin: string;
  size: number;
  /** Hex; base64 in the note. */
  root: string;
}

export const checkpointText = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${Buffer.from(root, 'hex').toString('base64')}\n`;

/** What a note claims, before any signature is looked at; undefined when it is no checkpoint. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  const [origin, size, root] = note.split('\n');
  const bytes = Buffer.from(root ?? '', 'base64');
  if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size ?? '') || bytes.length !== 32 || bytes.toString('base64') !== root) return undefined;
  return { origin, size: Number(size), root: bytes.toString('hex') };
}

/** The checkpoint when one of the keys signed it. */
export function openCheckpoint(note: string, verifiers: readonly Verifier[]): Checkpoint & { key_id: string } | undefined {
  const opened = openNote(note, verifiers);
  if (opened === undefined) return undefined;
  const checkpoint = readCheckpoint(opened.text);
  return checkpoint && { ...checkpoint, key_id: opened.by.key_id };
}
