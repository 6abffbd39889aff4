/** The api dies under a page that somebody looks at: the page says so, comes back by itself, and has missed nothing. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemActor } from '../../src/domain/actor.ts';
import { noSubject } from '../../src/domain/event.ts';
import { createDatabase, type Database } from '../../src/store/database.ts';
import { insertEvents } from '../../src/store/events.ts';
import { openBrowser, type TestBrowser } from '../support/browser.ts';
import { silent } from '../support/database.ts';
import { identities, killHard, launch, stopLaunched, type Launched } from '../support/launched.ts';

let launched: Launched;
let browser: TestBrowser;
let database: Database;
beforeAll(async () => {
  [launched, browser] = await Promise.all([launch(), openBrowser()]);
  database = createDatabase(readFileSync(launched.run().database_url_file, 'utf8').trim(), silent);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await database?.close();
  if (launched !== undefined) await stopLaunched(launched);
});

/** Seqs of the events that the page shows, newest first. */
const shown = (page: Page): Promise<number[]> => page.getByRole('button', { name: /^Open record \d+$/ })
  .evaluateAll((buttons) => buttons.map((button) => Number(button.textContent)));

const write = (count: number, word: string): Promise<unknown> => insertEvents(database.query, Array.from({ length: count }, (_, i) => ({
  type: 'mission.waiting' as const, actor: systemActor('test'), subject: noSubject, payload: { kind: 'test', reason: word }, idempotency_key: `${word}:${i}`,
})));

test('the page says that it is not live, comes back by itself, and shows every event once', async () => {
  const { page } = await browser.open({ viewport: { width: 1440, height: 3_000 } });
  const { code } = await launched.api().post<{ code: string }>('/mission-control/sign-in-codes', {});
  await page.goto(`${launched.run().api_url}/sign-in#${code}`);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByRole('navigation').getByRole('link', { name: 'Ledger' }).click();
  await page.evaluate('window.sameDocument = true');
  await write(5, 'before');
  await page.getByText(/waits for .*before/).nth(4).waitFor();

  await killHard(identities(launched).api);
  await page.getByText(/^Not live: what you see is from/).waitFor();
  await write(20, 'meanwhile');
  await page.getByText(/waits for .*meanwhile/).nth(19).waitFor();
  await page.getByText(/^Not live/).waitFor({ state: 'detached' });
  await write(5, 'after');
  await page.getByText(/waits for .*after/).nth(4).waitFor();

  expect(await page.evaluate('window.sameDocument')).toBe(true);
  const [newest = 0, ...older] = await shown(page);
  expect([newest, ...older]).toEqual(Array.from({ length: newest }, (_, i) => newest - i));
  const [{ seq } = { seq: 0 }] = await database.query<{ seq: number }>('SELECT max(seq) AS seq FROM ledger');
  expect(newest).toBe(seq);
}, 120_000);
