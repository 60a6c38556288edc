// A real browser for tests of the dashboard, and what may be noticed while a page is open.
//
// Owns the browser processes that it starts: one for a test file, closed when its tests are done. Where chromium is not
// installed tests are skipped by name (skipWithoutBrowser); `npm test` tries to install it.

import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const COMMAND = 'chromium';
/** For a slow, busy machine. */
const PAGE_MS = 60_000;

export interface Watched {
  readonly page: Page;
  /** Errors that scripts threw, and what the browser wrote to the console as an error or a warning. */
  readonly problems: readonly string[];
  /** Addresses of requests to any other origin than the page's. */
  readonly foreign: readonly string[];
  /** Texts of dialogs that a script opened. */
  readonly dialogs: readonly string[];
  /** What the content security policy stopped. */
  violations(): Promise<readonly string[]>;
  /** Asserts that nothing of the above was noticed. */
  assertClean(): Promise<void>;
}

/** For a test's options: false, or why it cannot run here. */
export function skipWithoutBrowser(): false | string {
  return findBrowser() === null ? 'chromium is not installed (scripts/install-test-tools.sh)' : false;
}

export function findBrowser(): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, COMMAND);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not there.
    }
  }
  return null;
}

export function launchBrowser(): Promise<Browser> {
  const executablePath = findBrowser();
  assert.ok(executablePath !== null, 'chromium is installed');
  // The sandbox refuses to work for root, which tests in a container are.
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath,
    args: [...(isRoot ? ['--no-sandbox'] : []), '--disable-dev-shm-usage', '--disable-gpu'],
    timeout: PAGE_MS,
  });
}

/** Opens pages in one browser, which is started with the first of them. To be called once, at the top of a test file. */
export function createBrowsing(): (
  t: TestContext,
  url: string,
  options?: BrowserContextOptions,
) => Promise<Watched> {
  let browser: Promise<Browser> | null = null;
  after(async () => {
    await (await browser)?.close();
  });
  return async (t, url, options = {}) => {
    browser ??= launchBrowser();
    const context = await (await browser).newContext({ viewport: { width: 1280, height: 800 }, ...options });
    t.after(() => context.close());
    context.setDefaultTimeout(PAGE_MS);
    await context.addInitScript(() => {
      const seen: string[] = [];
      const noted = globalThis as unknown as { violations: string[]; addEventListener: typeof process.on };
      noted.violations = seen;
      noted.addEventListener('securitypolicyviolation', (event: unknown) => {
        const { violatedDirective, blockedURI } = event as { violatedDirective: string; blockedURI: string };
        seen.push(`${violatedDirective} ${blockedURI}`);
      });
    });
    const page = await context.newPage();
    const watched = watch(page, new URL(url).origin);
    await page.goto(url);
    return watched;
  };
}

function watch(page: Page, origin: string): Watched {
  const [problems, foreign, dialogs]: [string[], string[], string[]] = [[], [], []];
  page.on('pageerror', (error) => problems.push(String(error.stack ?? error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('dialog', (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const { origin: asked, protocol } = new URL(request.url());
    if (asked !== origin && protocol !== 'data:') foreign.push(request.url());
  });
  const violations = (): Promise<readonly string[]> =>
    page.evaluate(() => (globalThis as unknown as { violations: string[] }).violations);
  return {
    page,
    problems,
    foreign,
    dialogs,
    violations,
    async assertClean() {
      assert.deepEqual(problems, []);
      assert.deepEqual(foreign, []);
      assert.deepEqual(dialogs, []);
      assert.deepEqual(await violations(), []);
    },
  };
}
