import type { Reporter, TestModule } from 'vitest/node';

/** Ends the run with the one line that scripts look for: `N passed, N failed, N skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      const before = counts.passed + counts.failed + counts.skipped;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed' || state === 'failed' || state === 'skipped') counts[state] += 1;
      }
      // A file that could not be loaded, or whose hook failed, has no failed test to count.
      if (module.state() === 'failed' && (before === counts.passed + counts.failed + counts.skipped || module.errors().length > 0)) counts.failed += 1;
    }
    // After the default reporter's own summary.
    setImmediate(() => console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`));
  }
}
