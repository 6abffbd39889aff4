/**
 * A reporter for mocha: its own `spec` report for people, and one JSON line per test, with its whole path, for us.
 * Plain CommonJS, because it runs inside the node of the repository under test.
 */
const { appendFileSync } = require('node:fs');
const path = require('node:path');

const target = process.env.MISSION_CONTROL_MOCHA_REPORT;
/** The mocha that runs, not one that happens to be near us. */
const mocha = require(process.env.MISSION_CONTROL_MOCHA ?? 'mocha');
delete process.env.MISSION_CONTROL_MOCHA_REPORT;
delete process.env.MISSION_CONTROL_MOCHA;

/** @param {any} test */
const identity = (test) => ({ file: test.file ? path.relative(process.cwd(), test.file) : '', path: test.titlePath() });

module.exports = class extends mocha.reporters.Spec {
  /** @param {any} runner @param {any} options */
  constructor(runner, options) {
    super(runner, options);
    /** @param {object} line */
    const write = (line) => { if (target) appendFileSync(target, `${JSON.stringify(line)}\n`); };
    /** @param {string} status */
    const ended = (status) => (/** @type {any} */ test, /** @type {any} */ error) => write({
      ...identity(test), status, duration_ms: test.duration ?? null, message: error ? String(error.message ?? error).slice(0, 2000) : null,
    });
    runner.on('test', (/** @type {any} */ test) => write({ ...identity(test), status: 'started' }));
    runner.on('pass', ended('passed'));
    runner.on('fail', ended('failed'));
    runner.on('pending', ended('skipped'));
  }
};
