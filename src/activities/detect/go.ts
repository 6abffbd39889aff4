/** A Go module: its tests report themselves as JSON. */
import { type Commands, compiledTestSeconds, type RepositoryFiles, setupSeconds, steps } from './files.ts';

export async function detectGo(files: RepositoryFiles): Promise<Commands | undefined> {
  const module = await files.text('go.mod');
  if (module === undefined || !files.paths.some((path) => path.endsWith('_test.go'))) return undefined;
  // Vendored modules are there already; a module that requires none needs none.
  const needs = /^[ \t]*require\b/m.test(module) && !files.has('vendor/modules.txt');
  const setup = steps(needs ? [{ argv: ['go', 'mod', 'download'], timeout_seconds: setupSeconds, network: true }] : []);
  return {
    ...(setup === undefined ? {} : { setup }),
    test: { argv: ['go', 'test', '-json', './...'], timeout_seconds: compiledTestSeconds, network: false, report: { format: 'go_test_json', from: 'stdout' } },
  };
}
