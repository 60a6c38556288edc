// What a user changes from the dashboard: ignored fields, pauses, kept mismatches, the verdict's beginning; and the key.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { createBrowsing, skipWithoutBrowser } from './browser.ts';
import { openScene, readText, type Scene, toJson, toShop, waitForCell } from './scene.ts';

const options = { skip: skipWithoutBrowser(), timeout: 280_000 };
const open = createBrowsing();

async function giveKey(page: Page, key: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Key needed' });
  await dialog.getByLabel('Key', { exact: true }).fill(key);
  await dialog.getByRole('button', { name: 'Use key' }).click();
}

/** Primary and shadow differ in a header and in one field of a body. */
function differ({ primary, shadow }: Scene): void {
  primary.behave(toJson({ id: 1, meta: { made: 'then' } }, { fields: ['x-node: a'] }));
  shadow.behave(toJson({ id: 1, meta: { made: 'now' } }, { fields: ['x-node: b'] }));
}

test(
  'ignoring a field of an Admin API route writes the rule, and the field does not count any more',
  options,
  async (t) => {
    const scene = await openScene(t, { config: () => '' });
    const route = `http://127.0.0.1:${scene.gateway.adminPort}/apisix/admin/routes/shop`;
    const headers = { 'x-api-key': scene.key };
    const answer = await fetch(route, {
      method: 'PUT',
      headers,
      body: JSON.stringify({
        uri: '/*',
        upstream: { type: 'roundrobin', nodes: { [`127.0.0.1:${scene.primary.port}`]: 1 } },
        plugins: {
          'proxy-mirror': { host: scene.shadow.url },
          'umbra-compare': { detailed_diff: true, ignore_headers: ['x-node'] },
        },
      }),
    });
    assert.equal(answer.status, 201, await answer.text());
    differ(scene);
    await scene.send(5);
    const { page, problems, foreign, violations } = await open(t, `${scene.url}#route=shop`);
    await waitForCell(page, 'shop', 'mismatches', '5');
    const example = page.getByRole('table', { name: 'What the two answers differ in' });
    await example.getByRole('button', { name: 'Ignore this field: body:meta.made' }).click();
    await giveKey(page, scene.key);
    await page.getByText('body:meta.made is ignored from now on.').waitFor();
    await page.getByText('ignore_json_fields: [meta.made]').waitFor();
    const { value } = (await (await fetch(route, { headers })).json()) as {
      readonly value: { readonly plugins: Record<string, unknown> };
    };
    assert.deepEqual(value.plugins['umbra-compare'], {
      detailed_diff: true,
      ignore_headers: ['x-node'],
      ignore_json_fields: ['meta.made'],
    });
    await scene.send(7);
    await waitForCell(page, 'shop', 'compared', '12');
    await waitForCell(page, 'shop', 'mismatches', '5');
    // A changed route begins its findings anew.
    await page.getByRole('region', { name: 'Verdict' }).getByText('0 of 7 differ').waitFor();
    // The browser itself notes the 401 that made the page ask for the key.
    assert.ok(
      problems.every((problem) => problem.includes('401')),
      problems.join('\n'),
    );
    assert.deepEqual([foreign, await violations()], [[], []]);
  },
);

test('ignoring a field of a route in a file shows the line of YAML, which does it', options, async (t) => {
  const scene = await openScene(t, { config: toShop });
  differ(scene);
  await scene.send(5);
  const { page } = await open(t, `${scene.url}#route=shop`);
  await page.getByRole('table', { name: 'Fields that differed' }).waitFor();
  await page.getByRole('button', { name: 'Ignore this field: body:meta.made' }).first().click();
  await giveKey(page, scene.key);
  await page.getByText('This route stands in a config file').waitFor();
  const line = await readText(page.locator('.rule pre'));
  assert.equal(line, 'ignore_json_fields: [meta.made]');
  await scene.gateway.reload(
    toShop(scene.primary, scene.shadow, `detailed_diff: true, ignore_headers: [x-node], ${line}`),
  );
  await scene.send(7);
  await waitForCell(page, 'shop', 'compared', '12');
  await waitForCell(page, 'shop', 'mismatches', '5');
});

test('pausing stops the copies of a route, resuming lets them go on', options, async (t) => {
  const scene = await openScene(t, { config: toShop, admin: 'key: of-the-admin' });
  const { page } = await open(t, `${scene.url}#route=shop`);
  await scene.send(2);
  await waitForCell(page, 'shop', 'compared', '2');
  await page.getByRole('button', { name: 'Pause mirroring' }).click();
  await giveKey(page, 'of-the-admin');
  await waitForCell(page, 'shop', 'state', 'paused');
  await page.getByText('Mirroring of shop is paused.').waitFor();
  await scene.send(3);
  await page.getByRole('table', { name: 'Skipped' }).getByText('paused').waitFor();
  await page.getByRole('button', { name: 'Resume mirroring' }).click();
  await waitForCell(page, 'shop', 'state', 'on');
  await scene.send(4);
  await waitForCell(page, 'shop', 'compared', '6');
  const { shop } = await scene.gateway.settled({ shop: 9 });
  assert.equal(shop!.skipped.paused, 3);
  assert.equal(scene.shadow.completed, 6);
});

test('kept mismatches are cleared and the verdict begins anew; totals stay', options, async (t) => {
  const scene = await openScene(t, { config: toShop, admin: 'key: of-the-admin' });
  scene.shadow.behave({ status: 500 });
  await scene.send(6);
  const { page } = await open(t, `${scene.url}#route=shop`);
  const groups = page.getByRole('table', { name: 'Mismatch groups' });
  await groups.waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByRole('button', { name: 'Really clear?' }).click();
  await giveKey(page, 'of-the-admin');
  await groups.waitFor({ state: 'hidden' });
  // What had the focus is not there any more.
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Mismatches');
  await page.getByText('The kept mismatches are cleared.').waitFor();
  const verdict = page.getByRole('region', { name: 'Verdict' });
  await verdict.getByText('6 of 6 differ').waitFor();
  await verdict.getByRole('button', { name: 'Begin anew' }).click();
  await verdict.getByRole('button', { name: 'Really begin anew?' }).click();
  await verdict.getByText('0 compared').waitFor();
  await waitForCell(page, 'shop', 'mismatches', '6');
});

test('a wrong key is told, the right one opens; a viewer reads and does not write', options, async (t) => {
  const keys = 'key: of-the-admin, viewer_key: of-the-viewer';
  const scene = await openScene(t, { config: toShop, admin: keys, adminHost: '0.0.0.0' });
  await scene.send(3);
  const { page, foreign, violations } = await open(t, `${scene.url}#route=shop`);
  const dialog = page.getByRole('dialog', { name: 'Key needed' });
  await dialog.waitFor();
  // Nothing is shown before.
  assert.equal(await page.getByRole('link', { name: 'shop' }).count(), 0);
  await page.keyboard.press('Escape');
  await page.getByText('a key is needed', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Enter key' }).click();
  await giveKey(page, 'schlüssel');
  await dialog.getByText('This cannot be a key').waitFor();
  await giveKey(page, 'of-nobody');
  await dialog.getByText('the X-API-KEY header is missing or wrong').waitFor();
  await giveKey(page, 'of-the-viewer');
  await waitForCell(page, 'shop', 'compared', '3');
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Pause mirroring' }).click();
  await dialog.getByText('the key is good for reading alone').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('A key is needed for this.').waitFor();
  await waitForCell(page, 'shop', 'state', 'on');
  // Neither a refusal nor a wrong key takes the key away that reads: what is read in the background goes on with it.
  await page.getByRole('button', { name: 'Pause mirroring' }).click();
  await giveKey(page, 'of-nobody');
  await dialog.getByText('the X-API-KEY header is missing or wrong').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  const isRead = page.waitForResponse((answer) => answer.url().endsWith('/history'));
  await scene.send(2);
  assert.equal((await isRead).status(), 200);
  await waitForCell(page, 'shop', 'compared', '5');
  assert.equal(await dialog.isVisible(), false);
  await page.getByRole('button', { name: 'Pause mirroring' }).click();
  await giveKey(page, 'of-the-admin');
  await waitForCell(page, 'shop', 'state', 'paused');
  // A key is nowhere but in the page's memory.
  const kept =
    'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, name])';
  assert.doesNotMatch(String(await page.evaluate(kept)), /of-the/);
  await page.reload();
  await dialog.waitFor();
  assert.deepEqual([foreign, await violations()], [[], []]);
});

test('without admin.key_required nobody is asked for a key', options, async (t) => {
  const scene = await openScene(t, { config: toShop, admin: 'key_required: false' });
  const { page, assertClean } = await open(t, `${scene.url}#route=shop`);
  await page.getByRole('button', { name: 'Pause mirroring' }).click();
  await waitForCell(page, 'shop', 'state', 'paused');
  await assertClean();
});
