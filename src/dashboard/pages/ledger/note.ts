/** C2SP notes, checkpoints and verifier keys, read and checked in the browser. */
import { bytesOfBase64, hexOf, joined, sha256, utf8 } from './tree.ts';

/** `unknown`: this browser cannot check it. Never taken for good. */
export type Verdict = 'holds' | 'broken' | 'unknown';

export interface Key { name: string; key_id: string; bytes: Uint8Array<ArrayBuffer> }

const ed25519 = 0x01;

/** `<name>+<key id>+<base64>`; undefined when it is none, or its id does not belong to its bytes. */
export async function readVkey(line: string): Promise<Key | undefined> {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(line.trim()) ?? [];
  const bytes = bytesOfBase64(encoded ?? '');
  if (name === undefined || bytes?.length !== 33 || bytes[0] !== ed25519) return undefined;
  const key_id = (await sha256(joined(utf8(`${name}\n`), bytes))).slice(0, 8);
  return key_id === id ? { name, key_id, bytes: bytes.slice(1) } : undefined;
}

export interface Checkpoint { origin: string; size: number; root: string }

/** What a note claims, before any signature is looked at. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  const [origin, size, root] = note.split('\n');
  const bytes = bytesOfBase64(root ?? '');
  if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size ?? '') || bytes?.length !== 32) return undefined;
  return { origin, size: Number(size), root: hexOf(bytes) };
}

/** Ed25519 over bytes; unknown where the browser does not have it. */
export async function verifyBytes(key: Key, signature: Uint8Array<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>): Promise<Verdict> {
  const known = await crypto.subtle.importKey('raw', key.bytes, 'Ed25519', false, ['verify']).catch(() => undefined);
  if (known === undefined) return 'unknown';
  return await crypto.subtle.verify('Ed25519', known, signature, bytes) ? 'holds' : 'broken';
}

/** Whether this key signed the note. Signatures of other keys are passed over; without one of this key it is broken. */
export async function verifyNote(note: string, key: Key): Promise<Verdict> {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return 'broken';
  const text = utf8(note.slice(0, split + 1));
  let verdict: Verdict = 'broken';
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
    const bytes = bytesOfBase64(encoded ?? '');
    if (name === undefined || bytes === undefined) return 'broken';
    if (name !== key.name || hexOf(bytes.subarray(0, 4)) !== key.key_id) continue;
    verdict = await verifyBytes(key, bytes.slice(4), text);
    if (verdict === 'broken') return 'broken';
  }
  return verdict;
}
