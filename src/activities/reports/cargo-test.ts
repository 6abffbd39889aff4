import type { TestCase, TestReport, TestStatus } from '../../domain/test-report.ts';

const words: Record<string, TestStatus> = { ok: 'passed', FAILED: 'failed', ignored: 'skipped' };
const begins = /^running (\d{1,9}) tests?$/;
const started = /^test (.+?) \.\.\. (.*)$/;
const ended = /^(?:(ok|FAILED|ignored)(?:, .*| <[\d.]+s>)?|bench: .*)$/;
/** From here on, a target shows again what its tests printed. */
const shows = /^(?:failures|successes):$/;
const ends = /^test result: (?:ok|FAILED)\. \d/;
const maxLine = 10_000;

/**
 * Reads what `cargo test` prints for people: its JSON is not stable. Every target (`running 3 tests … test result: …`) must
 * show as many tests as it promised, else the rest is one failed test: a name is never guessed.
 * @returns null when there is no such target
 */
export function parseCargoTest(text: string): TestReport | null {
  const cases: TestCase[] = [];
  let target: Target | null = null;
  let targets = 0;
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\r$/, '').slice(0, maxLine);
    const begin = begins.exec(line);
    if (begin !== null) {
      if (target !== null) cases.push(...settled(target));
      targets += 1;
      target = { promised: Number(begin[1]), cases: [], waiting: null, over: false };
    } else if (target !== null && ends.test(line)) {
      cases.push(...settled(target));
      target = null;
    } else if (target !== null && !target.over) readLine(target, line);
  }
  if (target !== null) cases.push(...settled(target));
  return targets === 0 ? null : { cases };
}

interface Target {
  promised: number;
  cases: TestCase[];
  /** A test whose result has not come: what it prints, if nobody captures it, stands before that. */
  waiting: string | null;
  over: boolean;
}

function readLine(target: Target, line: string): void {
  if (shows.test(line)) target.over = true;
  const start = target.waiting === null ? started.exec(line) : null;
  const name = start?.[1] ?? target.waiting;
  const end = ended.exec(start?.[2] ?? line);
  if (name === null) return;
  if (end === null) target.waiting = name;
  else {
    target.waiting = null;
    target.cases.push(caseOf(name, end[1]));
  }
}

function settled({ promised, cases }: Target): TestCase[] {
  if (promised === cases.length) return cases;
  const message = `${promised} tests promised, ${cases.length} reported: the target crashed, or output hid them`;
  return [...cases, { file: '', path: ['the whole target'], status: 'failed', duration_ms: null, message }];
}

/** A test in the documentation: its line is another one after any change above it, so it is no part of its name. */
const documented = /^(\S+\.(?:rs|md)) - (.*?) ?\(line \d{1,9}\)(.*)$/;

/** `module::tests::name`, or `src/lib.rs - module::name (line 5)`. */
function caseOf(name: string, word: string | undefined): TestCase {
  const plain = name.replace(/ - should panic$/, '');
  const [, file = '', item, rest] = documented.exec(plain) ?? [];
  return {
    file, path: item === undefined ? plain.split('::') : [`${item}${rest}` || file],
    // A bench has figures in place of a word.
    status: word === undefined ? 'passed' : words[word]!, duration_ms: null, message: null,
  };
}
