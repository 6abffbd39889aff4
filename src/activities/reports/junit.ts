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

/**
 * Reads one JUnit XML document (`testsuites`, or `testsuite` at the top; suites may nest).
 * @returns null when it is not such a document
 */
export function parseJunit(text: string): TestReport | null {
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
  collect(root as Node, [], cases);
  return { cases };
}

function collect(node: Node, suites: string[], cases: TestCase[]): void {
  for (const test of list(node['testcase'])) {
    const name = text(test['name']);
    const className = text(test['file']) || text(test['classname']);
    cases.push({
      file: className, path: [...suites, name], status: statusOf(test),
      duration_ms: test['time'] === undefined ? null : Math.round(Number(test['time']) * 1_000) || 0,
      message: messageOf(test),
    });
  }
  for (const suite of list(node['testsuite'])) {
    const name = text(suite['name']);
    collect(suite, name === '' ? suites : [...suites, name], cases);
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
