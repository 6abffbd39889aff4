/**
 * A reporter for `node --test` that writes what we need and nothing else: one JSON line per test, with its whole path.
 * Plain JavaScript, because it runs inside the node of the repository under test. (The runner's own junit reporter
 * escapes names twice and leaves out the file.)
 */
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';

const target = process.env.MISSION_CONTROL_NODE_TEST_REPORT;

/** @param {AsyncIterable<{ type: string, data: any }>} source */
export default async function* nodeTestReporter(source) {
  /** Names of the open tests and suites by nesting level. */
  /** @type {string[]} */
  const open = [];
  for await (const event of source) {
    const { data } = event;
    if (event.type === 'test:start') {
      open.length = data.nesting;
      open[data.nesting] = data.name;
    }
    if ((event.type !== 'test:pass' && event.type !== 'test:fail') || !target) continue;
    if (data.details?.type === 'suite') continue;
    const skipped = data.skip !== undefined && data.skip !== false;
    const todo = data.todo !== undefined && data.todo !== false;
    const error = data.details?.error;
    const file = data.file ? relative(process.cwd(), data.file) : '';
    const line = {
      file,
      // A file that crashed is a test named by its absolute path, which is another one in every worktree.
      path: [...open.slice(0, data.nesting), data.name === data.file ? file : data.name],
      status: skipped || todo ? 'skipped' : event.type === 'test:pass' ? 'passed' : 'failed',
      duration_ms: data.details?.duration_ms ?? null,
      message: error ? String(error.cause?.message ?? error.message).slice(0, 2000) : null,
    };
    appendFileSync(target, `${JSON.stringify(line)}\n`);
  }
  yield '';
}
