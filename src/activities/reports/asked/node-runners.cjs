/**
 * Loaded before every node program of a test command. In the main program of jest, vitest or mocha it asks for a report in
 * a file beside the one for people; everywhere else it does nothing. The runner may stand anywhere in the script, behind
 * `npm run`, `nyc` or `&&`. Plain CommonJS, because it runs inside the node of the repository under test.
 */
const { realpathSync } = require('node:fs');
const path = require('node:path');

const folder = process.env.MISSION_CONTROL_REPORTS;
const program = folder === undefined || process.argv[1] === undefined ? '' : resolved(process.argv[1]);

/** @param {string} name */
function resolved(name) {
  try {
    return realpathSync(name).replaceAll('\\', '/');
  } catch {
    return name;
  }
}

/** Runners that the tests themselves start are test material: nobody asks those. */
function askNobodyElse() {
  delete process.env.MISSION_CONTROL_REPORTS;
  const left = (process.env.NODE_OPTIONS ?? '').replace(process.env.MISSION_CONTROL_ASKING_OPTIONS ?? '', '').trim();
  if (left === '') delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = left;
}

/** @param {string[]} args */
function ask(args) {
  process.argv.push(...args);
  askNobodyElse();
}

if (folder !== undefined) {
  if (/\/(?:jest|jest-cli)\/bin\/jest\.js$/.test(program)) {
    ask(['--json', `--outputFile=${path.join(folder, `jest-${process.pid}.json`)}`]);
  } else if (program.endsWith('/vitest/vitest.mjs')) {
    ask(['--reporter=default', '--reporter=json', `--outputFile.json=${path.join(folder, `vitest-${process.pid}.json`)}`]);
  } else if (/\/mocha\/bin\/_?mocha(?:\.js)?$/.test(program)) {
    process.env.MISSION_CONTROL_MOCHA = program.slice(0, program.lastIndexOf('/bin/'));
    process.env.MISSION_CONTROL_MOCHA_REPORT = path.join(folder, `lines-mocha-${process.pid}.ndjson`);
    ask(['--reporter', path.join(__dirname, 'mocha-reporter.cjs')]);
  } else if (process.execArgv.includes('--test')) {
    // node's own runner has its reporter by an option.
    askNobodyElse();
  }
}
