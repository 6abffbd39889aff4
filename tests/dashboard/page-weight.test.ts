/** What a browser has to load, from what index.html names: the built page, gzipped as the api sends it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { dashboardFolder } from '../../src/project.ts';

const read = (path: string): string => readFileSync(join(dashboardFolder, path), 'utf8');
const gzipped = (paths: Iterable<string>): number => [...paths].reduce((sum, path) => sum + gzipSync(read(path)).length, 0);
const html = read('index.html');

/** Files that come at once: scripts, stylesheets and preloads of the page, and what its scripts import statically. */
function entry(): Set<string> {
  return withImports([...html.matchAll(/<(?:script|link)[^>]*(?:src|href)="\/?([^"]+)"/g)].map((match) => match[1]!).filter((path) => /\.(js|css)$/.test(path)));
}

function withImports(paths: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const add = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    if (!path.endsWith('.js')) return;
    for (const match of read(path).matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g)) add(`assets/${match[1]!}`);
  };
  for (const path of paths) add(path);
  return seen;
}

/** A page's own chunk with its stylesheet and all they bring, by the name of its source. */
function chunksOf(name: string): Set<string> {
  const listed = [...entry()].filter((path) => path.endsWith('.js')).map(read).join('\n');
  const named = [...listed.matchAll(new RegExp(`assets/(${name}-[\\w-]{8}\\.(?:js|css))`, 'g'))].map((match) => `assets/${match[1]!}`);
  const imported = [...listed.matchAll(new RegExp(`import\\([\`"']\\./(${name}-[\\w-]{8}\\.js)`, 'g'))].map((match) => `assets/${match[1]!}`);
  return withImports([...named, ...imported]);
}

test('the frame and the overview are there within 25 kB', () => {
  expect([...entry()].filter((path) => path.endsWith('.css')).map(read).join(''), 'the overview comes with the frame').toContain('.kpis');
  const weight = gzipped(new Set([...entry(), 'index.html']));
  expect(weight).toBeGreaterThan(10_000);
  expect(weight).toBeLessThan(25 * 1_024);
});

test('a mission with its chart is there within 60 kB', () => {
  const mission = [...chunksOf('mission')].filter((path) => path.endsWith('.js')).map(read).join('\n');
  const chart = [...new Set(mission.match(/(?:chart-drawing|uPlot)[\w.-]*-[\w-]{8}\.(?:js|css)/g))].map((name) => `assets/${name}`);
  expect(chart.some((path) => path.endsWith('.css')), 'the drawing has its stylesheet').toBe(true);
  const all = new Set([...entry(), ...chunksOf('mission'), ...withImports(chart), 'index.html']);
  expect([...all].some((path) => read(path).includes('uplot')), 'the charts are in it').toBe(true);
  expect(gzipped(all)).toBeLessThan(60 * 1_024);
});

test('nothing is inline and nothing is another host\'s', () => {
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|style=|\son\w+=|https?:/i);
});
