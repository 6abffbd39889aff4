/** A Makefile with a target for tests. What it runs is asked for a report where it is one of the runners that can be asked. */
import { type Commands, compiledTestSeconds, type RepositoryFiles } from './files.ts';

export async function detectMake(files: RepositoryFiles): Promise<Commands | undefined> {
  // The order in which make looks for them.
  const name = ['GNUmakefile', 'makefile', 'Makefile'].find((file) => files.has(file));
  const text = name === undefined ? undefined : await files.text(name);
  if (text === undefined) return undefined;
  // A rule, not the variable `test := …`.
  const target = ['test', 'check'].find((word) => new RegExp(`^${word}[ \\t]*:(?!=|:=)`, 'm').test(text));
  if (target === undefined) return undefined;
  return { test: { argv: ['make', target], timeout_seconds: compiledTestSeconds, network: false, report: { format: 'auto' } } };
}
