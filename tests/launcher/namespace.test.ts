import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namespaceOf } from '../../src/cli/launcher/temporal.ts';
import { temporaryFolder } from '../support/repository.ts';

let home: string;
beforeEach(() => { home = temporaryFolder(); });
afterEach(() => { rmSync(home, { recursive: true }); });

test('every data directory has an engine namespace of its own, and keeps it', () => {
  const other = temporaryFolder();
  expect(namespaceOf(home)).not.toBe(namespaceOf(other));
  const first = namespaceOf(home);
  writeFileSync(join(home, 'temporal.sqlite'), '');
  expect(namespaceOf(home)).toBe(first);
  rmSync(other, { recursive: true });
});

test('an engine from before that goes on in the namespace in which its missions are, also when its file is gone', () => {
  writeFileSync(join(home, 'temporal.sqlite'), '');
  expect(namespaceOf(home)).toBe('default');
  rmSync(join(home, 'temporal.sqlite'));
  expect(namespaceOf(home)).toBe('default');
});
