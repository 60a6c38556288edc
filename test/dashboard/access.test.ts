// Whether everybody can use the page: by keyboard alone, by what a screen reader is told, in the dark, on a small screen.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { createBrowsing, skipWithoutBrowser } from './browser.ts';
import { openScene, PATIENCE, toJson, toShop, waitForCell, waitForTrue } from './scene.ts';

const options = { skip: skipWithoutBrowser(), timeout: 280_000 };
const open = createBrowsing();

/** What is wrong with the page as a screen reader finds it; each a line. */
const FIND_FAULTS = `(() => {
  const faults = [];
  const name = (element) => [...(element.labels ?? [])].map((label) => label.textContent).join(' ').trim()
    || element.getAttribute('aria-label') || element.textContent.trim() || element.getAttribute('title') || '';
  const isShown = (element) => element.checkVisibility();
  for (const element of document.querySelectorAll('button, a, input, textarea, [role=img]')) {
    if (isShown(element) && name(element) === '') faults.push('no name: ' + element.outerHTML);
  }
  for (const image of document.querySelectorAll('img:not([alt])')) faults.push('no alt: ' + image.outerHTML);
  for (const table of document.querySelectorAll('table')) {
    if (!isShown(table)) continue;
    if (table.querySelector('th[scope]') === null) faults.push('no headers: ' + table.outerHTML);
    if (!table.caption && !table.getAttribute('aria-label') && !table.getAttribute('aria-labelledby')) faults.push('no name: ' + table.outerHTML);
    for (const header of table.querySelectorAll('th')) {
      if (!header.getAttribute('scope')) faults.push('no scope: ' + header.outerHTML);
      if (header.textContent.trim() === '') faults.push('empty header: ' + header.outerHTML);
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('twice: #' + id);
  for (const element of document.querySelectorAll('[aria-labelledby]')) {
    if (isShown(element) && document.getElementById(element.getAttribute('aria-labelledby')) === null) faults.push('label is missing: ' + element.outerHTML);
  }
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
    if (!isShown(heading)) continue;
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push('skips a level: ' + heading.outerHTML);
    level = own;
  }
  if (document.documentElement.lang === '') faults.push('no language');
  return faults;
})()`;

const FOCUSED = `(() => {
  const { activeElement: element } = document;
  return element.getAttribute('aria-label') || element.labels?.[0]?.textContent.trim() || element.textContent.trim();
})()`;

function toTwo(primary: { url: string }, shadow: { url: string }): string {
  const route = (id: string): string =>
    `  - { id: ${id}, path: /${id}, backends: [{ url: ${primary.url} }], mirror: { backends: [{ url: ${shadow.url} }], ${PATIENCE}, compare: { detailed_diff: true } } }\n`;
  return `routes:\n${route('one')}${route('two')}`;
}

async function press(page: Page, ...keys: readonly string[]): Promise<string> {
  for (const key of keys) await page.keyboard.press(key);
  // Focus follows in the next frame.
  await page.evaluate(
    'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))',
  );
  return String(await page.evaluate(FOCUSED));
}

test('the whole page can be used by keyboard, and the focus is seen and never lost', options, async (t) => {
  const scene = await openScene(t, { config: toTwo });
  scene.primary.behave(toJson({ a: 1 }));
  scene.shadow.behave(toJson({ a: 2 }));
  await scene.send(3, '/two');
  const { page, assertClean } = await open(t, scene.url);
  await waitForCell(page, 'two', 'mismatches', '3');
  assert.equal(await press(page, 'Tab'), 'Filter');
  assert.equal(await press(page, 'Tab'), 'Route');
  const columns = await page.locator('#route-table thead button').count();
  // One stop for all rows; arrows go from row to row.
  assert.equal(await press(page, ...Array<string>(columns).fill('Tab')), 'one');
  assert.equal(await press(page, 'ArrowDown'), 'two');
  assert.equal(await press(page, 'ArrowDown'), 'two');
  assert.equal(await press(page, 'Home'), 'one');
  assert.equal(await press(page, 'End'), 'two');
  const outline = 'getComputedStyle(document.activeElement).outlineStyle';
  assert.equal(await page.evaluate(outline), 'solid');
  await press(page, 'Enter');
  await page.getByRole('heading', { name: 'two' }).waitFor();
  await page.getByText('Route two is shown in detail below the table.').waitFor();
  // New figures leave the focus where it is.
  await scene.send(2, '/two');
  await waitForCell(page, 'two', 'mismatches', '5');
  assert.equal(await page.evaluate(FOCUSED), 'two');
  await page.getByRole('table', { name: 'What the two answers differ in' }).waitFor();
  const stops: string[] = [];
  for (let at = 0; at < 20 && stops.at(-1) !== 'Ignore this field: body:a'; at++)
    stops.push(await press(page, 'Tab'));
  assert.deepEqual(stops, [
    'Pause mirroring',
    'Close',
    'Begin anew',
    'Clear',
    'body:a',
    'Copy curl for primary',
    'Copy curl for shadow',
    'Ignore this field: body:a',
  ]);
  await page.getByRole('button', { name: 'Close' }).focus();
  assert.equal(await press(page, 'Enter'), 'two');
  await assertClean();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(
    `nothing is without a name, and the page fits 400 pixels, in ${colorScheme} mode`,
    options,
    async (t) => {
      const scene = await openScene(t, { config: toShop });
      scene.primary.behave(toJson({ id: 1, text: 'a'.repeat(300) }));
      scene.shadow.behave(toJson({ id: 2, text: 'b'.repeat(300) }));
      await scene.send(25);
      const { page, assertClean } = await open(t, `${scene.url}#route=shop`, {
        colorScheme,
        reducedMotion: 'reduce',
      });
      await page.getByRole('table', { name: 'Fields that differed' }).waitFor();
      assert.deepEqual(await page.evaluate(FIND_FAULTS), []);
      const background = String(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
      const [red = 0] = background.match(/\d+/g)!.map(Number);
      assert.ok(colorScheme === 'dark' ? red < 64 : red > 192, background);
      assert.equal(
        await page.evaluate('getComputedStyle(document.querySelector("button")).transitionDuration'),
        '0s',
      );
      assert.ok((await page.screenshot({ fullPage: true })).length > 10_000);
      await page.setViewportSize({ width: 400, height: 800 });
      await waitForTrue(page, 'document.documentElement.scrollWidth <= 400');
      assert.deepEqual(await page.evaluate(FIND_FAULTS), []);
      // Other colours while the page is open.
      await page.emulateMedia({ colorScheme: colorScheme === 'dark' ? 'light' : 'dark' });
      await waitForTrue(
        page,
        `getComputedStyle(document.body).backgroundColor !== ${JSON.stringify(background)}`,
      );
      await assertClean();
    },
  );
}

test(
  'the name of a route has room at every width, and says in a word what the columns would',
  options,
  async (t) => {
    const scene = await openScene(t, {
      config: (primary, shadow) => toTwo(primary, shadow).replace('mirror: {', 'mirror: { enabled: false,'),
    });
    const { page, assertClean } = await open(t, scene.url);
    const link = page.getByRole('link', { name: 'one', exact: true });
    await link.waitFor();
    for (const width of [1280, 1024, 800, 400]) {
      await page.setViewportSize({ width, height: 800 });
      // It stays in sight while the figures are moved.
      await page.evaluate('document.getElementById("route-frame").scrollLeft = 1e9');
      const box = (await link.boundingBox())!;
      assert.ok(box.width >= (width > 768 ? 190 : 60), `${box.width} px at ${width}`);
      assert.ok(box.x >= 0 && box.x + box.width <= width, `${box.x} at ${width}`);
      const word = page.locator('.state-word', { hasText: 'off' });
      assert.equal(await word.isVisible(), width <= 768);
    }
    await assertClean();
  },
);

test(
  'the focus goes to the row when the route in detail is gone, and to the rule and back',
  options,
  async (t) => {
    const scene = await openScene(t, { config: toTwo });
    scene.primary.behave(toJson({ a: 1 }));
    scene.shadow.behave(toJson({ a: 2 }));
    await scene.send(3, '/two');
    const { page } = await open(t, `${scene.url}#route=two`);
    // As on a page that did not come over TLS or from this machine.
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    const copy = page.getByRole('button', { name: 'Copy curl for primary' });
    await copy.focus();
    assert.equal(await press(page, 'Enter'), 'Text to copy');
    await page.getByRole('button', { name: 'Hide' }).focus();
    assert.equal(await press(page, 'Enter'), 'Copy curl for primary');
    const [one] = toTwo(scene.primary, scene.shadow).split('  - { id: two');
    await scene.gateway.reload(one!);
    await page.getByText('There is no mirrored route “two”.').waitFor();
    await waitForTrue(page, `${FOCUSED} === 'one'`);
  },
);

/** Text on what it lies on. */
const PAIRS =
  `text page, text surface, text sunken, text chosen, text mark-primary, text mark-shadow, quiet page,
  quiet surface, quiet sunken, quiet chosen, accent surface, accent sunken, accent chosen, on-accent accent, good surface,
  good good-surface, bad surface, bad sunken, bad chosen, bad bad-surface, warn surface, warn sunken, warn chosen,
  warn warn-surface, primary-line surface, shadow-line surface, control-line surface`
    .split(',')
    .map((pair) => pair.trim().split(' ') as [string, string]);

test('every text has a contrast of 4.5 to what it lies on, in both colour schemes', () => {
  const css = readFileSync(new URL('../../src/dashboard/dashboard.css', import.meta.url), 'utf8');
  const blocks = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, block]) => block!);
  assert.equal(blocks.length, 2);
  const [light, dark] = blocks.map(
    (block) =>
      new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, color]) => [name!, color!])),
  );
  assert.deepEqual([...dark!.keys()].sort(), [...light!.keys()].sort());
  for (const [scheme, colors] of [
    ['light', light!],
    ['dark', dark!],
  ] as const) {
    for (const [front, back] of PAIRS) {
      const found = toContrast(colors.get(front)!, colors.get(back)!);
      assert.ok(found >= 4.5, `${scheme}: ${front} on ${back}: ${found.toFixed(2)}`);
    }
  }
});

/** WCAG 2.2, contrast ratio and relative luminance. */
function toContrast(one: string, other: string): number {
  const [dark, light] = [toLuminance(one), toLuminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function toLuminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
