import type { TestCase, TestReport, TestStatus } from '../../domain/test-report.ts';

/** Indentation of a subtest, in blanks, and how deep they may nest. */
const indent = 4;
const maxDepth = 50;
const maxLine = 10_000;

interface Block {
  /** Tests of this block and all below it, without the names of what is above. */
  cases: TestCase[];
  points: number;
  planned: number | null;
}
const newBlock = (): Block => ({ cases: [], points: 0, planned: null });

const point = /^(not )?ok\b(?: (\d{1,9}))?(?: -)?(?: (.*))?$/;
const plan = /^1\.\.(\d{1,9})(?:\s*#.*)?$/;
const directive = /^\s*(?:skip|todo)/i;
/** How long a test took, as some producers write it: another figure in every run is no part of a name. */
const time = / # time=[\d.]{1,30}m?s$/;

/**
 * Reads TAP 12 to 14, subtests included; a subtest's name is that of the test point that follows it.
 * Fewer points than planned, no plan at all, and `Bail out!` are failed tests of their own: something is missing.
 * @returns null when there is no plan and no version: then it is some other text with an `ok` in it
 */
export function parseTap(text: string): TestReport | null {
  const open: Block[] = [newBlock()];
  let versioned = false;
  let inYaml = false;
  let bailed: string | null = null;
  for (const raw of text.replace(/^\uFEFF/, '').split('\n')) {
    const line = raw.replace(/\r$/, '').slice(0, maxLine);
    const content = line.trimStart();
    const depth = Math.min(Math.floor((line.length - content.length) / indent), maxDepth);
    if (inYaml) {
      inYaml = content !== '...';
      continue;
    }
    if (content === '---' && line.length - content.length > depth * indent) {
      inYaml = true;
      continue;
    }
    if (/^TAP version 1[234]$/.test(content)) versioned = true;
    else if (content.startsWith('Bail out!')) bailed ??= content.slice(9).trim();
    else readLine(open, depth, content);
  }
  const [root] = open;
  // Deeper blocks whose test point never came.
  const orphans = open.slice(1).flatMap((block) => settled(block));
  if (!versioned && (root!.planned === null || root!.points === 0)) return null;
  const cases = [...settled(root!), ...orphans];
  return { cases: bailed === null ? cases : [...cases, missing(`bailed out: ${bailed}`)] };
}

function readLine(open: Block[], depth: number, content: string): void {
  const planned = plan.exec(content);
  const found = planned === null ? point.exec(content) : null;
  if (planned === null && found === null) return;
  while (open.length <= depth) open.push(newBlock());
  const block = open[depth]!;
  if (planned !== null) {
    block.planned = Number(planned[1]);
    return;
  }
  block.points += 1;
  const { name, status } = readPoint(found!);
  // Everything deeper belongs to this point.
  const inner = open.splice(depth + 1).flatMap((child) => settled(child));
  block.cases.push(...inner.map((test) => ({ ...test, path: [name, ...test.path] })));
  block.cases.push({ file: '', path: [name], status, duration_ms: null, message: null });
}

function readPoint([, not, number, written = '']: RegExpExecArray): { name: string; status: TestStatus } {
  const rest = written.replace(/ \{$/, '').replace(time, '');
  const hash = indexOfDirective(rest);
  const word = hash < 0 ? null : directive.exec(rest.slice(hash + 1));
  const description = (word === null ? rest : rest.slice(0, hash)).trim();
  const name = description.replaceAll(/\\([#\\])/g, '$1');
  return {
    name: name === '' ? `test ${number ?? '?'}` : name,
    // A failing test that its authors marked as to be done says nothing about a change.
    status: word !== null ? 'skipped' : not === undefined ? 'passed' : 'failed',
  };
}

/** Where the last `#` stands that is not escaped and has a blank before it, or -1. */
function indexOfDirective(text: string): number {
  for (let i = text.length - 1; i >= 0; i -= 1) {
    if (text[i] === '#' && (i === 0 || /\s/.test(text[i - 1]!)) && directive.test(text.slice(i + 1, i + 20))) return i;
  }
  return -1;
}

function settled(block: Block): TestCase[] {
  if (block.planned === null) return block.points === 0 ? block.cases : [...block.cases, missing('the plan never came: the suite ended early')];
  return block.points === block.planned ? block.cases : [...block.cases, missing(`${block.planned} tests planned, ${block.points} reported`)];
}

const missing = (message: string): TestCase => ({ file: '', path: ['the whole plan'], status: 'failed', duration_ms: null, message });
