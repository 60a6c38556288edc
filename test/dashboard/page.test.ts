// The dashboard in a real browser: what it shows, how it follows the traffic, and one route in detail.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBrowsing, skipWithoutBrowser } from './browser.ts';
import {
  findRow,
  openRelay,
  openScene,
  PATIENCE,
  toJson,
  toShop,
  waitForCell,
  waitForText,
} from './scene.ts';

const options = { skip: skipWithoutBrowser(), timeout: 280_000 };
const open = createBrowsing();

test('the figures follow the traffic without a reload', options, async (t) => {
  const scene = await openScene(t, { config: toShop });
  const { page, assertClean } = await open(t, scene.url);
  await page.getByText('Waiting for traffic').waitFor();
  await page.getByRole('status').getByText('live', { exact: true }).waitFor();
  await waitForCell(page, 'shop', 'compared', '0');
  await page.evaluate('window.notReloaded = true');
  scene.shadow.behave({ status: 500 });
  await scene.send(20);
  await waitForCell(page, 'shop', 'compared', '20');
  await waitForCell(page, 'shop', 'mismatches', '20');
  await waitForCell(page, 'shop', 'match', '0 %');
  await waitForCell(page, 'shop', 'share', '100 %');
  scene.shadow.behave({});
  await scene.send(60);
  await waitForCell(page, 'shop', 'compared', '80');
  await waitForCell(page, 'shop', 'match', '75 %');
  // Rates rise with the traffic and fall to zero after it.
  await waitForCell(page, 'shop', 'requests', '0');
  await page.getByText('80 comparisons · 20 mismatches').waitFor();
  assert.equal(await page.getByText('Waiting for traffic').count(), 0);
  assert.equal(await page.evaluate('window.notReloaded'), true);
  await assertClean();
});

test(
  'a route is opened by its link or by the address, and shows figures, plots, verdict and groups',
  options,
  async (t) => {
    const scene = await openScene(t, { config: toShop });
    scene.primary.behave(toJson({ id: 1, items: [{ name: 'Café noir' }, { name: 'tea' }] }));
    scene.shadow.behave(
      toJson({ id: 1, items: [{ name: 'Café au lait' }, { name: 'tea' }] }, { fields: ['x-version: 2'] }),
    );
    await scene.send(30, '/products/7');
    const { page, assertClean } = await open(t, scene.url);
    await page.getByRole('link', { name: 'shop' }).click();
    await page.getByRole('heading', { name: 'shop' }).waitFor();
    assert.ok(page.url().endsWith('#route=shop'), page.url());
    assert.equal(await page.title(), 'shop – umbra');
    await page.getByText('30 of 30 differ').waitFor();
    await page.getByRole('region', { name: 'Verdict' }).getByText('Fail', { exact: true }).waitFor();
    const group = page.getByRole('table', { name: 'Mismatch groups' }).getByRole('row').nth(1);
    await waitForText(group, /body:items\[\]\.name\s*header:x-version\s*30/);
    const sides = page.getByRole('table', { name: 'What the two answers differ in' });
    await waitForText(sides, /header x-version\s*only the shadow has it\s*not there\s*2/);
    await waitForText(sides, /items\[0\]\.name\s*another value\s*"Café noir"\s*"Café au lait"/);
    // What is marked is what differs.
    const marks = await sides.locator('mark').allTextContents();
    assert.deepEqual(marks, ['2', 'noir', 'au lait']);
    for (const name of [
      /^Latency distribution.*primary: 30 samples.*shadow: 30 samples/,
      /^Match rate over time: last 0 %, at \d\d:\d\d/,
    ]) {
      const plot = page.getByRole('img', { name });
      await plot.waitFor();
      assert.ok((await plot.locator('canvas').boundingBox())!.width > 100);
    }
    const shadows = page.getByRole('table', { name: 'Shadows' });
    await waitForText(shadows, new RegExp(`${scene.shadow.url}\\s*shadow\\s*closed\\s*30`));
    await waitForText(
      page.getByRole('table', { name: 'Sent' }),
      /Sent\s*30\s*of those due\s*30\s*answered\s*30/,
    );
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('heading', { name: 'shop' }).waitFor({ state: 'detached' });
    assert.ok(!page.url().includes('#'), page.url());
    // A link that somebody was sent.
    await page.goto(`${scene.url}#route=shop`);
    await page.reload();
    await page.getByRole('heading', { name: 'shop' }).waitFor();
    await page.goto(`${scene.url}#route=nobody`);
    await page.getByText('There is no mirrored route “nobody”.').waitFor();
    await assertClean();
  },
);

test(
  'a command for either side is copied, and shown chosen where the browser does not let a page copy',
  options,
  async (t) => {
    const scene = await openScene(t, { config: toShop });
    scene.shadow.behave({ status: 404 });
    await scene.send(1, '/one?a=b');
    const { page, assertClean } = await open(t, `${scene.url}#route=shop`, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    for (const [side, origin] of [
      ['primary', scene.primary.url],
      ['shadow', scene.shadow.url],
    ] as const) {
      await page.getByRole('button', { name: `Copy curl for ${side}` }).click();
      await page.getByText(`The command for the ${side} is copied.`).waitFor();
      const text = String(await page.evaluate('navigator.clipboard.readText()'));
      assert.ok(text.startsWith('curl ') && text.includes(`${origin}/one?a=b`), text);
    }
    // As on a page that did not come over TLS or from this machine.
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await page.getByRole('button', { name: 'Copy curl for primary' }).click();
    const area = page.getByRole('textbox', { name: 'Text to copy' });
    await area.waitFor();
    assert.match(String(await page.evaluate('getSelection().toString()')), /^curl /);
    await assertClean();
  },
);

test(
  'what control and shadow do, what is skipped, and an open breaker are told in words',
  options,
  async (t) => {
    const scene = await openScene(t, {
      config: (primary, shadow) => `routes:
  - id: shop
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror:
      backends: [{ url: ${shadow.url} }]
      ${PATIENCE.replace(', breaker', '\n      breaker')}
      conditions: { methods: [GET], path_regex: "^/shop" }
      compare: { detailed_diff: true, control: { url: "http://localhost:${primary.port}" } }
  - id: dead
    path: /dead
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: "http://127.0.0.1:1" }], breaker: { failures: 1, open_for: 1h } }`,
    });
    await scene.send(1, '/dead');
    // The others come when the breaker is open.
    assert.equal((await scene.gateway.settled({ dead: 1 })).dead!.breaker, 'open');
    await scene.send(4, '/dead');
    await scene.send(4, '/shop/a');
    await scene.send(3, '/elsewhere');
    const { page, assertClean } = await open(t, `${scene.url}#route=shop`);
    await waitForCell(page, 'dead', 'breaker', 'open');
    await waitForCell(page, 'dead', 'match', 'not compared');
    await waitForCell(page, 'shop', 'match', '100 %');
    const shadows = page.getByRole('table', { name: 'Shadows' });
    await shadows.getByText('control', { exact: true }).waitFor();
    await waitForText(
      shadows,
      new RegExp(`http://localhost:${scene.primary.port}\\s*control\\s*closed\\s*4`),
    );
    await waitForText(page.getByRole('table', { name: 'Skipped' }), /Skipped\s*3\s*condition\s*3/);
    await page.getByText('None so far.').waitFor();
    await page.getByRole('link', { name: 'dead' }).click();
    await page.getByRole('heading', { name: 'dead' }).waitFor();
    await page.getByText('Answers of this route are not compared.').waitFor();
    await waitForText(page.getByRole('table', { name: 'Failed' }), /Failed\s*1\s*refused\s*1/);
    await waitForText(page.getByRole('table', { name: 'Dropped' }), /Dropped\s*4\s*breaker open\s*4/);
    await assertClean();
  },
);

test(
  'a page says that the connection is lost, tries again, and goes on when the gateway is back',
  options,
  async (t) => {
    const scene = await openScene(t, { config: toShop });
    const relay = await openRelay(t, scene.gateway.adminPort);
    const { page, violations } = await open(t, relay.url);
    await waitForCell(page, 'shop', 'compared', '0');
    const isUp = page.getByRole('status').getByText('live', { exact: true });
    await isUp.waitFor();
    // Without news the rates fall to zero; without a connection nobody knows them.
    await waitForCell(page, 'shop', 'requests', '0');
    await relay.cut();
    // The pauses grow.
    await page.getByText(/connection lost: .*; trying again in 4 s/).waitFor();
    await waitForCell(page, 'shop', 'requests', '–');
    await page.getByText(/^figures of .*\d\d:\d\d:\d\d · – requests/).waitFor();
    await scene.send(3);
    await relay.open();
    await page.getByRole('button', { name: 'Try now' }).click();
    await isUp.waitFor();
    await waitForCell(page, 'shop', 'compared', '3');
    await relay.cut();
    await page.getByText(/connection lost: .*; trying again in [14] s/).waitFor();
    await relay.open();
    await isUp.waitFor();
    assert.deepEqual(await violations(), []);
  },
);

test(
  'without a mirrored route, and without a comparison, the page says how to get one',
  options,
  async (t) => {
    const bare = 'routes: [{ id: a, path: /, backends: [{ url: "http://127.0.0.1:1" }] }]';
    const scene = await openScene(t, { config: () => bare });
    const { page, assertClean } = await open(t, scene.url);
    await page.getByText('No route is mirrored yet.').waitFor();
    await waitForText(page.locator('#notice pre'), /mirror:\s+backends:/);
    await scene.gateway.reload(`routes:
  - { id: a, path: /, backends: [{ url: ${scene.primary.url} }], mirror: { backends: [{ url: ${scene.shadow.url} }] } }`);
    await page.getByText('Copies are sent, and answers are not compared.').waitFor();
    assert.equal(await findRow(page, 'a').count(), 1);
    await scene.gateway.reload(bare);
    await page.getByText('No route is mirrored yet.').waitFor();
    assert.equal(await findRow(page, 'a').count(), 0);
    await assertClean();
  },
);

test(
  'where nothing could be compared the page says why, and not that nothing differs',
  options,
  async (t) => {
    const scene = await openScene(t, {
      config: (primary, shadow) => toShop(primary, shadow).replace(primary.url, 'http://127.0.0.1:1'),
    });
    await scene.send(2);
    const { page, assertClean } = await open(t, `${scene.url}#route=shop`);
    await page.getByText('Nothing could be compared: the primary gave no answer (2).').waitFor();
    await waitForText(page.getByRole('table', { name: 'Primary failed' }), /Primary failed\s*2/);
    await waitForText(page.getByRole('table', { name: 'Shadows' }), /2 \(primary failed 2\)/);
    assert.equal(await page.getByText('None so far.').count(), 0);
    await assertClean();
  },
);
