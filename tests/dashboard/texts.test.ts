/** Texts of outsiders on their way to the screen: diffs, logs and events. */
import { describe, expect, test } from 'vitest';
import { eventTypes, noSubject, type EventType, type StoredEvent } from '../../src/domain/event.ts';
import { systemActor } from '../../src/domain/actor.ts';
import { plainSentence, sentenceOf } from '../../src/dashboard/event-words.ts';
import { logText } from '../../src/dashboard/log-text.ts';
import { parseUnifiedDiff } from '../../src/dashboard/unified-diff.ts';

const event = (type: string, payload: Record<string, unknown> = {}): StoredEvent => ({
  type: type as EventType, actor: systemActor('worker'), subject: noSubject, payload, idempotency_key: type, event_id: type, ts: '2026-01-01T00:00:00.000Z', payload_digest: '', links: [],
});

describe('events as sentences', () => {
  test.each(eventTypes)('%s says something, whatever is missing', (type) => {
    const said = plainSentence(sentenceOf(event(type)));
    expect(said.trim()).not.toBe('');
    expect(said).not.toMatch(/undefined|null|NaN|\[object/);
  });

  test('names, hashes and reasons are in it', () => {
    expect(plainSentence(sentenceOf(event('merge.landed', { commit: '9f31c07aa55', carried: false })))).toBe('landed 9f31c07a, tree as tested');
    expect(plainSentence(sentenceOf(event('stage.ended', { stage: 'run_tests', outcome: 'failed', reason: '1 failed' })))).toBe('run tests failed: 1 failed');
  });

  test('a type that a newer system writes is told by its name, and a name of every object is no type', () => {
    expect(plainSentence(sentenceOf(event('comet.sighted')))).toBe('comet sighted');
    expect(plainSentence(sentenceOf(event('constructor')))).toBe('constructor');
  });

  test('an endless reason is cut', () => {
    expect(plainSentence(sentenceOf(event('mission.waiting', { kind: 'agent', reason: 'x'.repeat(10_000) }))).length).toBeLessThan(300);
  });
});

describe('diffs', () => {
  test('files, hunks and line numbers', () => {
    const [changed, gone] = parseUnifiedDiff('diff --git a/add.js b/add.js\nindex 1..2 100644\n--- a/add.js\n+++ b/add.js\n@@ -1,3 +1,4 @@ f\n one\n-two\n+2\n+3\n four\n\\ No newline at end of file\ndiff --git a/old.js b/old.js\ndeleted file mode 100644\n--- a/old.js\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n');
    expect(changed).toMatchObject({ path: 'add.js', added: 2, removed: 1 });
    expect(changed!.hunks[0]!.lines.map((line) => [line.kind, line.text, line.before, line.after])).toEqual([
      ['context', 'one', 1, 1], ['removed', 'two', 2, null], ['added', '2', null, 2], ['added', '3', null, 3], ['context', 'four', 3, 4],
      ['note', 'No newline at end of file', null, null],
    ]);
    expect(gone).toMatchObject({ path: 'old.js', added: 0, removed: 1, notes: ['deleted file mode 100644'] });
  });

  test('a removed line that looks like a header is a removed line', () => {
    const [file, ...more] = parseUnifiedDiff('--- a/x\n+++ b/x\n@@ -1,2 +1,1 @@\n--- a/y\n kept\n');
    expect(more).toEqual([]);
    expect(file!.hunks[0]!.lines[0]).toMatchObject({ kind: 'removed', text: '-- a/y' });
  });

  test('a diff without git\'s own lines has its files, too', () => {
    expect(parseUnifiedDiff('--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n').map((file) => file.path)).toEqual(['x', 'y']);
  });

  test('what is no diff is nothing, and never an error', () => {
    expect(parseUnifiedDiff('')).toEqual([]);
    expect(parseUnifiedDiff('<script>\n@@ nonsense')).toEqual([]);
  });
});

describe('logs', () => {
  test.each([
    ['colours', '\u001b[31mred\u001b[0m', 'red'],
    ['a window title', '\u001b]0;owned\u0007text', 'text'],
    ['cursor movements', 'a\u001b[2K\u001b[1Gb', 'ab'],
    ['a progress line that is written over', '10 %\r50 %\rdone\nnext', 'done\nnext'],
    ['line ends of elsewhere', 'a\r\nb', 'a\nb'],
    ['an override of the reading direction', 'safe\u202Eexe.txt', 'safeexe.txt'],
    ['other control characters', 'a\u0000b\u0008c\td', 'abc\td'],
  ])('%s', (_, printed, shown) => {
    expect(logText(printed)).toBe(shown);
  });
});
