import { describe, expect, test } from 'vitest';
import { parseJunit } from '../../src/activities/reports/junit.ts';
import { parseTestReport } from '../../src/activities/reports/read.ts';

const paths = (text: string): string[] | undefined => parseJunit(text)?.cases.map((test) => `${test.path.join(' > ')}: ${test.status}`);
const nameOf = (attribute: string): string | undefined => parseJunit(`<testsuite name="s"><testcase name="${attribute}"/></testsuite>`)?.cases[0]?.path[1];

test('suites nest, and every test is named by all of them', () => {
  expect(paths(`<?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="all" tests="4">
      <testsuite name="outer" file="x.js">
        <properties><property name="a" value="b"/></properties>
        <testsuite name="inner"><testcase name="deep" time="0.25"/><testcase name="bad"><failure message="no"/></testcase></testsuite>
        <testcase name="shallow"><system-out>said</system-out></testcase>
      </testsuite>
      <testsuite name="other"><testcase name="deep"><skipped/></testcase><testcase name="broken"><error>at line 1</error></testcase></testsuite>
    </testsuites>`)).toEqual([
    'outer > shallow: passed', 'outer > inner > deep: passed', 'outer > inner > bad: failed', 'other > deep: skipped', 'other > broken: failed',
  ]);
});

test('a single testsuite at the top, and one without a name', () => {
  expect(paths('<testsuite name="alone"><testcase name="a"/></testsuite>')).toEqual(['alone > a: passed']);
  expect(paths('<testsuite><testcase name="a"/></testsuite>')).toEqual(['a: passed']);
});

test('file or class, time and message are kept', () => {
  const report = parseJunit(`<testsuites><testsuite name="s">
    <testcase classname="pkg.Class" name="one" time="1.5"/><testcase classname="C" file="a_test.py" name="two" time="x"/>
    <testcase name="three"><failure message="short" type="E">long text</failure></testcase>
    <testcase name="four"><failure><![CDATA[a < b && "c" &lt; d]]></failure></testcase>
    <testcase name="five"><error>first</error><error>second</error></testcase><testcase name="six"><failure/></testcase>
  </testsuite></testsuites>`);
  expect(report?.cases.map(({ file, duration_ms, message }) => [file, duration_ms, message])).toEqual([
    ['pkg.Class', 1_500, null], ['a_test.py', 0, null], ['', null, 'short'], ['', null, 'a < b && "c" &lt; d'], ['', null, 'first'], ['', null, ''],
  ]);
});

test.each([
  ['it&apos;s &quot;quoted&quot;', 'it\'s "quoted"'], ['a &lt; b &gt; c &amp; d', 'a < b > c & d'], ['it&#39;s &#x20AC; &#128165;', 'it\'s € 💥'],
  ['two&#10;lines', 'two\nlines'], ['&amp;lt; stays once decoded', '&lt; stays once decoded'], ['&unknown; &nbsp;', '&unknown; &nbsp;'],
  ['&#0; &#xD800; &#x110000;', '&#0; &#xD800; &#x110000;'], ['ünï [x] {y} \\ $1', 'ünï [x] {y} \\ $1'], ['&', '&'],
])('the name %j is %j', (attribute, name) => expect(nameOf(attribute)).toBe(name));

test('a thousand escaped names are no attack', () => {
  const report = parseJunit(`<testsuite name="s">${'<testcase name="a &lt; b &amp; c"/>'.repeat(5_000)}</testsuite>`);
  expect(report?.cases).toHaveLength(5_000);
  expect(new Set(report?.cases.map((test) => test.path[1]))).toEqual(new Set(['a < b & c']));
});

test('a byte-order mark before the document is no part of it', () => {
  expect(paths('\uFEFF<?xml version="1.0"?><testsuite name="s"><testcase name="a"/></testsuite>')).toEqual(['s > a: passed']);
});

describe('a document type of the report\'s own', () => {
  const suite = (inner: string): string => `<testsuite name="s"><testcase name="${inner}"><failure>${inner}</failure></testcase></testsuite>`;

  test('an entity it declares is not expanded', () => {
    const text = JSON.stringify(parseJunit(`<!DOCTYPE x [<!ENTITY own "expanded">]>${suite('&own;')}`));
    expect(text).not.toContain('expanded');
  });

  test.each(['SYSTEM "file:///etc/passwd"', 'SYSTEM "http://127.0.0.1:1/x"', 'PUBLIC "x" "file:///etc/passwd"'])('an external entity reads nothing: %s', (source) => {
    const text = JSON.stringify(parseJunit(`<!DOCTYPE x [<!ENTITY xxe ${source}>]>${suite('&xxe;')}`)) ?? '';
    expect(text).not.toContain('root:');
    expect(text.length).toBeLessThan(500);
  });

  test('a billion laughs stay as small as they were sent', () => {
    const levels = Array.from({ length: 10 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`);
    const text = `<!DOCTYPE x [<!ENTITY l0 "${'lol'.repeat(10)}">${levels.join('')}]>${suite('&l10;')}`;
    const before = process.memoryUsage().rss;
    expect((JSON.stringify(parseJunit(text)) ?? '').length).toBeLessThan(text.length);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });
});

test.each([
  ['nothing', ''], ['blanks', ' \n'], ['a word', 'garbage'], ['JSON', '{"testsuites": []}'], ['another document', '<html><body/></html>'], ['bytes', '\0\u0001\uFFFD<<>>'],
  ['a document cut off in a failing test', '<testsuites><testsuite name="s"><testcase name="a"/><testcase name="b"><fail'],
  ['a document cut off in a name', '<testsuites><testsuite name="s"><testcase name="a'],
])('%s is no report', (_, text) => expect(parseJunit(text)).toBeNull());

test.each(['<testsuites/>', '<testsuites></testsuites>', '<testsuites tests="0"/>', '<testsuite name="s" tests="0"/>', '<testsuites><testsuite/></testsuites>'])(
  '%s is a report without tests, which is not the same', (text) => expect(parseJunit(text)).toEqual({ cases: [] }));

test('names that mean something to JavaScript are names', () => {
  expect(paths('<testsuite name="__proto__"><testcase name="constructor"/><testcase name="toString"><failure/></testcase></testsuite>'))
    .toEqual(['__proto__ > constructor: passed', '__proto__ > toString: failed']);
});

test('several files are one report; files that are none do not count', () => {
  const file = (name: string): string => `<testsuite name="${name}"><testcase name="t"/></testsuite>`;
  expect(parseTestReport('junit', [file('a'), 'garbage', file('b')])?.cases.map((test) => test.path[0])).toEqual(['a', 'b']);
  expect(parseTestReport('junit', ['garbage'])).toBeNull();
  expect(parseTestReport('junit', [])).toBeNull();
});
