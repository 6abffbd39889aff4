import { XMLParser } from 'fast-xml-parser';
import type { TestCase, TestReport, TestStatus } from '../../domain/test-report.ts';

const ownEntities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** XML's own entities and character references. A reference to a character that XML forbids stays as it is. */
const decode = (text: string): string => text.replaceAll(/&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));/g,
  (whole: string, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return ownEntities[name]!;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    const allowed = code === 9 || code === 10 || code === 13 || (code >= 32 && code < 0xd800) || (code > 0xdfff && code <= 0x10ffff);
    return allowed ? String.fromCodePoint(code) : whole;
  });

const nothing = (): void => undefined;
const parser = new XMLParser({
  ignoreAttributes: false, attributeNamePrefix: '', processEntities: true,
  // Entities that a document declares are never expanded: a report is hostile input.
  entityDecoder: { decode, addInputEntities: nothing, setExternalEntities: nothing, reset: nothing, setXmlVersion: nothing },
  parseAttributeValue: false, parseTagValue: false, trimValues: true,
  isArray: (name) => name === 'testsuite' || name === 'testcase',
});

type Node = Record<string, unknown>;

/** Where a test stands: JUnit XML has no one way to say it. */
type Naming = (test: { file: string; classname: string; name: string }, suites: readonly string[]) => Pick<TestCase, 'file' | 'path'>;

const bySuites: Naming = ({ file, classname, name }, suites) => ({ file: file || classname, path: [...suites, name] });

/**
 * pytest's own id: `tests/test_sums.py::TestSums::test_adds[1-2]`. Its suites are one named `pytest`, its class names start
 * with the module, and only the older form of its document names the file.
 */
const byModule: Naming = ({ file, classname, name }) => {
  const module = file.replace(/\.py$/, '').replaceAll('/', '.');
  const classes = file !== '' && classname.startsWith(`${module}.`) ? classname.slice(module.length + 1).split('.') : [];
  return { file: file || classname, path: [...classes, name || file || classname] };
};

export const parsePytestJunit = (text: string): TestReport | null => parseJunit(text, byModule);

/**
 * Reads one JUnit XML document (`testsuites`, or `testsuite` at the top; suites may nest).
 * @returns null when it is not such a document
 */
export function parseJunit(text: string, naming: Naming = bySuites): TestReport | null {
  let document: Node;
  try {
    document = parser.parse(text.replace(/^\uFEFF/, '')) as Node;
  } catch {
    return null;
  }
  const root = document['testsuites'] ?? document;
  if (typeof root !== 'object' || root === null || (document['testsuites'] === undefined && document['testsuite'] === undefined)) {
    return document['testsuites'] === '' ? { cases: [] } : null;
  }
  const cases: TestCase[] = [];
  collect(root as Node, [], naming, cases);
  return { cases };
}

function collect(node: Node, suites: string[], naming: Naming, cases: TestCase[]): void {
  for (const test of list(node['testcase'])) {
    cases.push({
      ...naming({ file: text(test['file']), classname: text(test['classname']), name: text(test['name']) }, suites), status: statusOf(test),
      duration_ms: test['time'] === undefined ? null : Math.round(Number(test['time']) * 1_000) || 0,
      message: messageOf(test),
    });
  }
  for (const suite of list(node['testsuite'])) {
    const name = text(suite['name']);
    collect(suite, name === '' ? suites : [...suites, name], naming, cases);
  }
}

function statusOf(test: Node): TestStatus {
  if (test['failure'] !== undefined || test['error'] !== undefined) return 'failed';
  return test['skipped'] === undefined ? 'passed' : 'skipped';
}

function messageOf(test: Node): string | null {
  const problem = test['failure'] ?? test['error'];
  if (problem === undefined) return null;
  const first = (Array.isArray(problem) ? problem[0] : problem) as Node | string;
  const message = typeof first === 'string' ? first : text(first['message']) || text(first['#text']);
  return message.slice(0, 2_000);
}

const list = (value: unknown): Node[] =>
  (Array.isArray(value) ? value : []).filter((item): item is Node => typeof item === 'object' && item !== null);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
