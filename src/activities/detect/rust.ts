/** A Cargo package or workspace. Its tests go on after the first target that fails, so that every target reports. */
import { type Commands, compiledTestSeconds, type RepositoryFiles, setupSeconds, steps } from './files.ts';

export async function detectRust(files: RepositoryFiles): Promise<Commands | undefined> {
  const manifest = await files.text('Cargo.toml');
  if (manifest === undefined) return undefined;
  const workspace = /^[ \t]*\[workspace\b/m.test(manifest);
  const needs = workspace || /^[ \t]*\[(?:.*\.)?(?:dev-|build-)?dependencies\b/m.test(manifest);
  const setup = steps(needs ? [{ argv: ['cargo', 'fetch'], timeout_seconds: setupSeconds, network: true }] : []);
  return {
    ...(setup === undefined ? {} : { setup }),
    test: {
      argv: ['cargo', 'test', '--offline', '--no-fail-fast', ...(workspace ? ['--workspace'] : [])],
      timeout_seconds: compiledTestSeconds, network: false, report: { format: 'cargo_test', from: 'stdout' },
    },
  };
}
