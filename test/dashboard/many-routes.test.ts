// A thousand routes: what the page keeps in the document, and what following them costs the browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRaw, request } from '../kit/raw.ts';
import { createBrowsing, skipWithoutBrowser } from './browser.ts';
import { findRow, openScene, PATIENCE, type Scene, waitForCell, waitForTrue } from './scene.ts';

const ROUTES = 1000;
const ROWS_MAX = 60;
/** Of the page's main thread, for one event in which every route has changed: a tenth of the second between two. */
const EVENT_CPU_MS_MAX = 100;
const ROUNDS = 6;

const open = createBrowsing();

function toId(index: number): string {
  return `route-${String(index).padStart(4, '0')}`;
}

/** One request to each route. */
async function sendRound({ gateway }: Scene): Promise<void> {
  const clients = await Promise.all(Array.from({ length: 8 }, () => openRaw(gateway.port)));
  let next = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (next < ROUTES) await request(client, { path: `/${toId(next++)}` });
      client.close();
    }),
  );
}

test('a thousand routes that all change are followed, scrolled, ordered and searched with few rows and little work', {
  skip: skipWithoutBrowser(),
  timeout: 280_000,
}, async (t) => {
  const scene = await openScene(t, {
    config: (primary, shadow) =>
      `routes:\n${Array.from(
        { length: ROUTES },
        (_, index) =>
          `  - { id: ${toId(index)}, path: /${toId(index)}, backends: [{ url: ${primary.url} }], mirror: { backends: [{ url: ${shadow.url} }], ${PATIENCE}, compare: { enabled: true } } }\n`,
      ).join('')}`,
  });
  scene.shadow.behave({ status: 500 }, `/${toId(321)}`);
  const { page, assertClean } = await open(t, scene.url);
  await page.getByText('1,000 routes', { exact: true }).waitFor();
  const rows = page.locator('#route-table tbody tr');
  const [first, last] = [toId(0), toId(ROUTES - 1)];
  assert.ok((await rows.count()) <= ROWS_MAX, `${await rows.count()} rows`);

  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const readCpuMs = async (): Promise<number> => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')!.value * 1000;
  };
  await page.evaluate(
    'window.tasks = []; new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: "longtask" })',
  );
  const before = await readCpuMs();
  for (let round = 1; round <= ROUNDS; round++) {
    await sendRound(scene);
    await waitForCell(page, first, 'compared', String(round));
  }
  // One round may be told in several events; it is not told in less than one.
  const eachMs = ((await readCpuMs()) - before) / ROUNDS;
  const longest = Number(await page.evaluate('Math.max(0, ...tasks)'));
  t.diagnostic(`${eachMs.toFixed(1)} ms of the main thread a round, longest task ${longest.toFixed(0)} ms`);
  assert.ok(eachMs < EVENT_CPU_MS_MAX * 3, `${eachMs} ms a round`);
  assert.ok((await rows.count()) <= ROWS_MAX, `${await rows.count()} rows`);

  // The whole way down, and what stands there.
  await page.evaluate('document.getElementById("route-frame").scrollTop = 1e9');
  await waitForCell(page, last, 'compared', String(ROUNDS));
  assert.equal(await findRow(page, last).getAttribute('aria-rowindex'), String(ROUTES + 1));
  assert.equal(await findRow(page, first).count(), 0);
  assert.ok((await rows.count()) <= ROWS_MAX, `${await rows.count()} rows`);
  // A row that leaves the document leaves its focus to the table, where the arrows go on from it.
  await findRow(page, last).getByRole('link').focus();
  await page.keyboard.press('End');
  await page.evaluate('document.getElementById("route-frame").scrollTop = 0');
  await waitForTrue(page, 'document.activeElement.id === "route-frame"');
  await page.keyboard.press('ArrowUp');
  await waitForTrue(page, `document.activeElement.textContent === "${toId(ROUTES - 2)}"`);
  await page.evaluate('document.getElementById("route-frame").scrollTop = 0');

  await page.getByRole('columnheader', { name: 'Mismatches' }).getByRole('button').click();
  await rows
    .nth(1)
    .getByRole('link', { name: toId(321) })
    .waitFor();
  assert.equal(
    await page.getByRole('columnheader', { name: 'Mismatches' }).getAttribute('aria-sort'),
    'descending',
  );
  await page.getByLabel('Filter').fill('99');
  await page.getByText('19 of 1,000').waitFor();
  await page.getByLabel('Filter').fill('no such route');
  await page.getByText('0 of 1,000').waitFor();
  await page.getByLabel('Filter').fill('');
  await page.getByText('1,000 routes', { exact: true }).waitFor();
  await findRow(page, toId(321)).getByRole('link').click();
  await page.getByRole('heading', { name: toId(321) }).waitFor();
  await page.getByText('This route compares status and hash alone.').waitFor();
  await assertClean();
});
