/** Notes and checkpoints, against the examples of the format's own implementation (golang.org/x/mod/sumdb/note). */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { checkpointText, createSigner, openCheckpoint, openNote, parseVkey, readCheckpoint, sealNote } from '../../src/ledger/note.ts';

const knownVkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const knownSeed = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1);
const knownText = 'If you think cryptography is the answer to your problem,\nthen you don\'t know what your problem is.\n';
const knownNote = `${knownText}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

const pemOfSeed = (seed: Buffer): string =>
  createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' }).toString();
const newPem = (): string => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

describe('the known note', () => {
  test('opens with its key', () => expect(openNote(knownNote, [parseVkey(knownVkey)])?.text).toBe(knownText));

  test('comes out of its private key byte for byte', () => {
    const signer = createSigner('PeterNeumann', pemOfSeed(knownSeed));
    expect(signer.vkey).toBe(knownVkey);
    expect(sealNote(knownText, signer)).toBe(knownNote);
  });

  test.each([
    ['another text', knownNote.replace('answer', 'Answer')],
    ['another signature', knownNote.replace('x08go/ZJ', 'x08go/ZK')],
    ['no signature', `${knownText}\n`],
    ['no newline at the end', knownNote.slice(0, -1)],
    ['a line that is no signature', `${knownNote}hello\n`],
    ['nothing', ''],
  ])('does not open with %s', (_, note) => expect(openNote(note, [parseVkey(knownVkey)])).toBeUndefined());

  test('does not open with another key, and opens beside a signature that is not ours', () => {
    const other = createSigner('somebody', newPem());
    expect(openNote(knownNote, [other])).toBeUndefined();
    expect(openNote(knownNote + other.sign(knownText), [parseVkey(knownVkey)])?.by.name).toBe('PeterNeumann');
  });
});

test.each([
  'PeterNeumann', 'PeterNeumann+c74f20a3', 'PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  'PeterNeumann+c74f20a3+AhpcUHcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'PeterNeumann+c74f20a3+ARpc',
])('%s is no verifier key', (line) => expect(() => parseVkey(line)).toThrow());

describe('checkpoints', () => {
  const head = { origin: 'mission-control/abc', size: 42, root: '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328' };
  const signer = createSigner('mission-control/abc', newPem());

  test('say origin, size and root in three lines', () =>
    expect(checkpointText(head)).toBe('mission-control/abc\n42\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n'));

  test('come back as they were signed', () =>
    expect(openCheckpoint(sealNote(checkpointText(head), signer), [signer])).toEqual({ ...head, key_id: signer.key_id }));

  test.each([
    ['a size with a leading zero', '\n042\n'], ['a negative size', '\n-1\n'], ['a size beyond counting', '\n99999999999999999999\n'],
  ])('are refused with %s, whoever signed it', (_, size) =>
    expect(openCheckpoint(sealNote(checkpointText(head).replace('\n42\n', size), signer), [signer])).toBeUndefined());

  test('can be read unverified, as a claim', () => expect(readCheckpoint(checkpointText(head))).toEqual(head));
});
