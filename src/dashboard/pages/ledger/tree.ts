/** The Merkle tree of RFC 6962 and RFC 8785 bytes on WebCrypto: what `src/ledger` does on a server, for the page. Hashes are lower-case hex. */

export const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export const bytesOfHex = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));

/** Undefined when it is no base64. */
export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Browsers have WebCrypto on https and on this very host only. */
export const canHash = (): boolean => (globalThis.crypto as { subtle?: unknown } | undefined)?.subtle !== undefined;

export const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> => hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));

/** RFC 8785 text of what came as JSON. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`;
}

export const leafHash = (text: string): Promise<string> => sha256(joined(new Uint8Array([0]), utf8(text)));

const nodeHash = (left: string, right: string): Promise<string> => sha256(joined(new Uint8Array([1]), bytesOfHex(left), bytesOfHex(right)));

/** The root that a leaf and its audit path lead to (RFC 9162 2.1.3.2); undefined when the path cannot belong to such a tree. */
export async function rootFromInclusion(index: number, size: number, leaf: string, path: readonly string[]): Promise<string | undefined> {
  if (index < 0 || index >= size) return undefined;
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const next of path) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      hash = await nodeHash(next, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      hash = await nodeHash(hash, next);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? hash : undefined;
}

/** Whether the tree of `size` with `root` begins with the one of `old` leaves and `oldRoot`, `old` > 0 (RFC 9162 2.1.4.2). */
export async function isConsistent(old: number, oldRoot: string, size: number, root: string, proof: readonly string[]): Promise<boolean> {
  if (old > size) return false;
  if (old === size) return proof.length === 0 && oldRoot === root;
  const path = Number.isInteger(Math.log2(old)) ? [oldRoot, ...proof] : [...proof];
  if (path.length === 0) return false;
  let [fn, sn] = [old - 1, size - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  let [first, second] = [path[0]!, path[0]!];
  for (const next of path.slice(1)) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      first = await nodeHash(next, first);
      second = await nodeHash(next, second);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      second = await nodeHash(second, next);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && first === oldRoot && second === root;
}
