/** A real browser on a real page: headless Chromium, as a person with a key opens it. */
import { readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { expect, inject } from 'vitest';
import type { Role } from '../../src/domain/actor.ts';
import { temporaryFolder } from './repository.ts';
import type { System } from './system.ts';

// One process for all would not outlive its first page.
const unwanted = ['--single-process', '--no-zygote'];

export type TestBrowser = Awaited<ReturnType<typeof openBrowser>>;

/** What a page said that it should not have: errors of its scripts, and what its policy refused. */
export interface Seen { page: Page; context: BrowserContext; errors: string[] }

export async function openBrowser() {
  const home = temporaryFolder();
  const browser: Browser = await playwright.launch({
    executablePath: inject('chromium'), args: chromium.args.filter((arg) => !unwanted.includes(arg)), headless: true,
    env: { ...process.env as Record<string, string>, HOME: home },
  });
  const contexts = new Set<BrowserContext>();

  async function open(options: Parameters<Browser['newContext']>[0] = {}): Promise<Seen> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark', reducedMotion: 'reduce', locale: 'en-GB', ...options });
    // Less than a test has: the step that did not come is then named.
    context.setDefaultTimeout(30_000);
    contexts.add(context);
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    // An answer of 4xx is told as an error, too; those are for the page to show.
    page.on('console', (message) => { if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) errors.push(message.text()); });
    return { page, context, errors };
  }
  return {
    browser, open,
    /** Signs in with a one-use code, as the launcher's link does, and waits until the page is live. */
    async signedIn(system: System, id: string, role: Role, options: Parameters<Browser['newContext']>[0] & { to?: string } = {}): Promise<Seen> {
      const { to = '/', ...rest } = options;
      const seen = await open(rest);
      const { code } = await (await system.as(id, role)).post<{ code: string }>('/mission-control/sign-in-codes', {});
      await seen.page.goto(`${system.url}/sign-in?to=${encodeURIComponent(to)}#${code}`);
      await seen.page.locator('main .top h1').waitFor();
      return seen;
    },
    async close(): Promise<void> {
      for (const context of contexts) await context.close();
      await browser.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

const axeSource = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation { id: string; impact: string | null; nodes: { html: string; failureSummary?: string }[] }

/** Serious and critical findings of axe on what is shown, each with the element it is about. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  // Evaluated by the debugger, not by the page: its policy allows no such script.
  await page.evaluate(await axeSource);
  const { violations } = await page.evaluate(async () =>
    (globalThis as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } }).axe.run());
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary ?? ''}`));
}

/** In both themes. */
export async function expectAccessible({ page }: Pick<Seen, 'page'>): Promise<void> {
  for (const theme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await page.locator(`html[data-theme="${theme}"]`).waitFor();
    expect(await accessibilityFindings(page), `${page.url()} in ${theme}`).toEqual([]);
  }
}

/** How many pixels the page is wider than the screen. */
export const overflow = (page: Page): Promise<number> => page.evaluate('document.documentElement.scrollWidth - innerWidth');

/** Presses Tab until the focus is on what is looked for: the way of somebody without a mouse. */
export async function tabTo(page: Page, name: string | RegExp, role: 'button' | 'link' | 'textbox' | 'tab' = 'button'): Promise<void> {
  const wanted = page.getByRole(role, { name, exact: typeof name === 'string' }).first();
  await wanted.waitFor();
  for (let presses = 0; presses < 150; presses += 1) {
    if (await wanted.evaluate((element) => element === element.ownerDocument.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not come to the ${role} ${String(name)}`);
}
