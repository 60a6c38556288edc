// A client and a shadow that write HTML and script wherever they can: it is shown as text, and nothing of it runs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRaw, request } from '../kit/raw.ts';
import { createBrowsing, skipWithoutBrowser } from './browser.ts';
import { openScene, PATIENCE, readText, toJson } from './scene.ts';

const ELSEWHERE = 'http://elsewhere.invalid';
const IMAGE = `<img src=x onerror="window.ran=1;alert(1)">`;
const SCRIPT = `</td></script><script src="${ELSEWHERE}/x.js"></script><script>window.ran=2;alert(2)</script>`;
const LINK = `javascript:window.ran=3`;
const STYLE = `"><style>@import "${ELSEWHERE}/x.css"; * { background: url(${ELSEWHERE}/y) }</style>`;
const FRAME = `<iframe srcdoc="<script>parent.ran=4</script>"></iframe><svg/onload=window.ran=5>`;
const ALL = [IMAGE, SCRIPT, LINK, STYLE, FRAME];

const open = createBrowsing();

test('markup and script in every field that others write is text, and nothing runs, loads or leaves', {
  skip: skipWithoutBrowser(),
  timeout: 280_000,
}, async (t) => {
  const id = '__proto__';
  const scene = await openScene(t, {
    config: (primary, shadow) => `routes:
  - id: ${JSON.stringify(id)}
    path: /
    path_prefix: true
    backends: [{ url: ${primary.url} }]
    mirror: { backends: [{ url: ${shadow.url} }], ${PATIENCE}, compare: { detailed_diff: true } }
  - { id: constructor, path: /other, backends: [{ url: ${primary.url} }], mirror: { backends: [{ url: ${shadow.url} }] } }`,
  });
  const nested = Object.fromEntries(ALL.map((text) => [text, { [text]: [text, { [text]: text }] }]));
  scene.primary.behave(
    toJson({ ...nested, [FRAME]: 1, only: SCRIPT }, { fields: [`x-a: ${IMAGE}`, 'x-b: 1'] }),
  );
  scene.shadow.behave(
    toJson(
      { ...Object.fromEntries(ALL.map((text) => [text, [text, text]])), [`${SCRIPT}'"\`]`]: STYLE },
      { status: 500, fields: [`x-a: ${SCRIPT}`, `x-b: ${LINK}`, `x-!#$%&'*+.^_|~\`: ${STYLE}`] },
    ),
    '/json',
  );
  scene.shadow.behave({ fields: ['content-type: text/html'], body: ALL.join('\n') }, '/text');
  const client = await openRaw(scene.gateway.port);
  const fields = [`X-Request-Id: ${IMAGE}`, `User-Agent: ${SCRIPT}`, `Referer: ${STYLE}`];
  for (const path of ['/json', '/text']) {
    const { status } = await request(client, {
      method: 'POST',
      path: `${path}?q=<script>window.ran=6</script>'"&u=${LINK}`,
      fields,
      body: ALL.join(''),
    });
    assert.equal(status, 200);
  }
  client.close();
  await scene.gateway.settled(JSON.parse('{ "__proto__": 2 }') as Record<string, number>);

  const { page, assertClean } = await open(t, `${scene.url}#route=${encodeURIComponent(id)}`);
  await page.getByRole('heading', { name: id, exact: true }).waitFor();
  const groups = page.getByRole('table', { name: 'Mismatch groups' });
  await groups.waitFor();
  const detail = page.locator('#detail');
  for (const group of await groups.getByRole('button').all()) {
    await group.click();
    await page.getByRole('table', { name: 'What the two answers differ in' }).waitFor();
    for (const button of await detail.getByRole('button', { name: /^Ignore this field/ }).all()) {
      assert.match((await button.getAttribute('aria-label')) ?? '', /^Ignore this field: (header|body):/);
    }
    const text = await readText(detail);
    assert.ok(text.includes("<script>window.ran=6</script>'"), text);
  }
  // It has all been shown: these came from the shadow's headers, values and keys, in that order.
  await page
    .getByRole('table', { name: 'Fields that differed' })
    .getByText('<iframe srcdoc=')
    .first()
    .waitFor();
  assert.ok((await readText(page.getByRole('table', { name: 'Fields that differed' }))).includes('onerror='));
  assert.equal(await detail.locator('img, script, iframe, style, svg, link, object, a').count(), 0);
  assert.equal(await page.getByRole('link', { name: 'constructor' }).count(), 1);
  assert.equal(await page.evaluate('window.ran'), undefined);
  // The address is somebody else's too.
  await page.goto(`${scene.url}#route=${encodeURIComponent(IMAGE)}`);
  await page.getByText(`There is no mirrored route “${IMAGE}”.`).waitFor();
  assert.equal(await page.evaluate('window.ran'), undefined);
  await assertClean();

  // Had the page been careless, the policy would have stopped it.
  const careless = `(() => { try { document.body.innerHTML = ${JSON.stringify(IMAGE)}; return 'taken' } catch (error) { return error.name } })()`;
  assert.equal(await page.evaluate(careless), 'TypeError');
  assert.equal(await page.evaluate('window.ran'), undefined);
});
