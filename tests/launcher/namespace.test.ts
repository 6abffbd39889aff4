import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namespaceOf } from '../../src/home.ts';
import { temporaryFolder } from '../support/repository.ts';

let home: string;
beforeEach(() => { home = temporaryFolder(); });
afterEach(() => { rmSync(home, { recursive: true }); });

test('every data directory has an engine namespace of its own, and keeps it', async () => {
  const other = temporaryFolder();
  expect(await namespaceOf(home)).not.toBe(await namespaceOf(other));
  const first = await namespaceOf(home);
  writeFileSync(join(home, 'temporal.sqlite'), '');
  expect(await namespaceOf(home)).toBe(first);
  rmSync(other, { recursive: true });
});

test('an engine from before that goes on in the namespace in which its missions are, also when its file is gone', async () => {
  writeFileSync(join(home, 'temporal.sqlite'), '');
  expect(await namespaceOf(home)).toBe('default');
  rmSync(join(home, 'temporal.sqlite'));
  expect(await namespaceOf(home)).toBe('default');
});
