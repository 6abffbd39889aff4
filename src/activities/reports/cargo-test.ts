import type { TestCase, TestReport, TestStatus } from '../../domain/test-report.ts';

const words: Record<string, TestStatus> = { ok: 'passed', FAILED: 'failed', ignored: 'skipped' };
const begins = /^running (\d{1,9}) tests?$/;
const result = /^test (.+) \.\.\. (?:(ok|FAILED|ignored)(?:, .*| <[\d.]+s>)?|bench: .*)$/;
const started = /^test (.+) \.\.\. /;
const ends = /^test result: (?:ok|FAILED)\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored; (\d{1,9}) measured/;
const maxLine = 10_000;

/**
 * Reads what `cargo test` prints for people: its JSON is not stable. Every target (`running 3 tests … test result: …`) must
 * show as many tests as it promised and as it counted, else the rest is one failed test: a name is never guessed.
 * @returns null when there is no such target
 */
export function parseCargoTest(text: string): TestReport | null {
  const cases: TestCase[] = [];
  let target: { promised: number; cases: TestCase[] } | null = null;
  let targets = 0;
  /** What a lone test printed past the capture stands between its name and its result. */
  let waiting: string | null = null;
  const close = (reason: string): void => {
    if (target === null) return;
    cases.push(...target.cases);
    if (target.cases.length !== target.promised) {
      cases.push({ file: '', path: ['the whole target'], status: 'failed', duration_ms: null, message: `${target.promised} tests promised, ${target.cases.length} reported: ${reason}` });
    }
    target = null;
  };
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\r$/, '').slice(0, maxLine);
    const begin = begins.exec(line);
    if (begin !== null) {
      close('the target ended early');
      targets += 1;
      target = { promised: Number(begin[1]), cases: [] };
    } else if (target !== null) {
      const end = ends.exec(line);
      if (end !== null) {
        const counted = end.slice(1).reduce((sum, count) => sum + Number(count), 0);
        // Tests that a filter left out are not among the promised ones.
        target.promised = Math.max(target.promised, counted);
        close('their output hid them');
      } else {
        const test = result.exec(line);
        const late: RegExpExecArray | null = waiting === null ? null : /^(?:ok|FAILED|ignored)$/.exec(line);
        if (test !== null) target.cases.push(caseOf(test[1]!, test[2]));
        else if (late !== null) target.cases.push(caseOf(waiting!, late[0]));
        waiting = test !== null || late !== null ? null : started.exec(line)?.[1] ?? waiting;
      }
    }
  }
  close('the target ended early');
  return targets === 0 ? null : { cases };
}

/** `module::tests::name`; a test in the documentation is `src/lib.rs - module::name (line 5)`. */
function caseOf(name: string, word: string | undefined): TestCase {
  const plain = name.replace(/ - should panic$/, '');
  const dash = plain.indexOf(' - ');
  const documented = dash > 0 && plain.includes('(line ', dash);
  return {
    ...(documented ? { file: plain.slice(0, dash), path: [plain.slice(dash + 3)] } : { file: '', path: plain.split('::') }),
    // A bench has figures in place of a word.
    status: word === undefined ? 'passed' : words[word]!, duration_ms: null, message: null,
  };
}
