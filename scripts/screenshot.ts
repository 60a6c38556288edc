// Makes docs/dashboard.png: the dashboard in a real browser, over the demo's servers and traffic.
//
// Needs chromium (scripts/install-test-tools.sh). Ends what it started; writes nothing else. The picture differs from run to
// run, as the traffic does.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findBrowser, launchBrowser } from '../test/dashboard/browser.ts';

const FILE = fileURLToPath(new URL('../docs/dashboard.png', import.meta.url));
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
/** High enough for the whole of a route, with an example of a mismatch. */
const VIEWPORT = { width: 1280, height: 1290 };
const BYTES_MAX = 300 * 1024;
/** Enough for the match rate to be a line: the gateway takes a sample each 10 s. */
const TRAFFIC_MS = 65_000;
const START_MS = 120_000;

/** Resolves with the dashboard's address when the demo has said what it found. */
async function waitForDashboard(demo: ChildProcess): Promise<string> {
  const lines = createInterface({ input: demo.stdout!, signal: AbortSignal.timeout(START_MS) });
  for await (const line of lines) {
    const found = /^dashboard (\S+)/.exec(line);
    if (found) return found[1]!;
  }
  throw new Error('the demo ended, or took too long, before it named its dashboard');
}

async function takePicture(url: string): Promise<void> {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport: VIEWPORT, colorScheme: 'light' });
    await page.goto(url);
    await page.getByRole('region', { name: 'Verdict' }).waitFor();
    await page.waitForTimeout(TRAFFIC_MS);
    await page.getByRole('table', { name: 'Mismatch groups' }).getByRole('button').first().click();
    await page.getByRole('table', { name: 'What the two answers differ in' }).waitFor();
    await page.screenshot({ path: FILE });
  } finally {
    await browser.close();
  }
}

if (findBrowser() === null) throw new Error('chromium is not installed: see scripts/install-test-tools.sh');
const demo = spawn(process.execPath, [MAIN, 'demo', '--keep'], { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  await takePicture(await waitForDashboard(demo));
} finally {
  if (demo.exitCode === null && demo.kill('SIGINT')) await once(demo, 'exit');
}
const { size } = statSync(FILE);
if (size > BYTES_MAX) throw new Error(`${FILE} has ${size} bytes, at most ${BYTES_MAX} are wanted`);
process.stdout.write(`${FILE}: ${size} bytes\n`);
