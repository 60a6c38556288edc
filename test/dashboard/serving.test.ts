// The dashboard's files as the admin listener serves them: what they are, what they may do, who gets them.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openGateway } from '../kit/gateway.ts';

const CONFIG = 'routes: [{ id: a, path: /, backends: [{ url: "http://127.0.0.1:1" }] }]';
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

async function openListener(t: TestContext, options: { admin?: string; adminHost?: string } = {}) {
  const gateway = await openGateway({ config: CONFIG, ...options });
  t.after(() => gateway.stop({ balanced: false }));
  const url = `http://127.0.0.1:${gateway.adminPort}`;
  return { gateway, get: (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, init) };
}

/** Paths that a file of the page names. */
function findPaths(text: string, from: string): string[] {
  const named = [...text.matchAll(/(?:src|href)="(\/[^"#]*)"|\bfrom '(\.\/[^']+)'|\bimport '(\.\/[^']+)'/g)];
  return named.map((match) => new URL(match[1] ?? match[2] ?? match[3]!, `http://here${from}`).pathname);
}

test('every file that the page needs is there, with its type and the policy, and none comes from elsewhere', async (t) => {
  const { get, gateway } = await openListener(t);
  const [seen, waiting] = [new Set<string>(), ['/']];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path) || path === '/mirrors' || path === '/metrics') continue;
    seen.add(path);
    const response = await get(path);
    assert.equal(response.status, 200, path);
    const { headers } = response;
    assert.equal(headers.get('content-security-policy'), POLICY, path);
    assert.equal(headers.get('referrer-policy'), 'no-referrer', path);
    assert.equal(headers.get('x-frame-options'), 'DENY', path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('cache-control'), 'no-cache', path);
    const text = await response.text();
    assert.ok(text.length > 0, path);
    const type = { html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' }[
      path === '/' ? 'html' : path.slice(path.lastIndexOf('.') + 1)
    ];
    assert.ok(type !== undefined && headers.get('content-type')!.startsWith(type), path);
    if (type === 'text/html') assert.doesNotMatch(text, / (?:on\w+|style)=|<style|<script>/, path);
    if (path.includes('uPlot')) continue;
    // Types are gone, and so is every other place that a browser might fetch from.
    if (type === 'text/javascript')
      assert.doesNotMatch(text, /^import type|^(?:export )?interface |\bas unknown\b/m, path);
    if (type !== 'image/svg+xml')
      assert.doesNotMatch(text.replaceAll(/http:\/\/(?:production|shadow):/g, ''), /https?:\/\//, path);
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
      path,
    );
    waiting.push(...findPaths(text, path));
  }
  assert.ok(seen.size > 15, [...seen].join(' '));
  assert.ok(!gateway.lines.some((line) => line.includes('Warning')), gateway.lines.join('\n'));
});

test('a file is sent once, and again when it is another', async (t) => {
  const { get } = await openListener(t);
  for (const path of ['/', '/dashboard/main.js', '/dashboard/uPlot.iife.min.js']) {
    const etag = (await get(path)).headers.get('etag')!;
    const again = await get(path, { headers: { 'if-none-match': etag } });
    assert.deepEqual([again.status, await again.text()], [304, ''], path);
    assert.equal((await get(path, { headers: { 'if-none-match': '"other"' } })).status, 200, path);
    const head = await get(path, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('etag')], [200, etag], path);
    assert.equal((await get(path, { method: 'POST' })).status, 405, path);
  }
});

test('off loopback the files need no key, whatever they show does', async (t) => {
  const { get } = await openListener(t, { admin: 'key: of-the-admin', adminHost: '0.0.0.0' });
  for (const path of ['/', '/dashboard/main.js', '/dashboard/dashboard.css']) {
    assert.equal((await get(path)).status, 200, path);
  }
  const paths = ['/mirrors', '/events', '/metrics', '/mirrors/a/verdict', '/dashboard', '//', '/index.html'];
  for (const path of paths) assert.equal((await get(path)).status, 401, path);
});

test('nothing but the files is under their path, however it is written', async (t) => {
  const { get } = await openListener(t);
  const paths = [
    'shapes.ts',
    'main.ts',
    '..%2fcontrol%2fadmin.ts',
    '%2e%2e%2fmirrors',
    '',
    'index.html',
    '.',
    'x',
  ];
  for (const path of paths) {
    const response = await get(`/dashboard/${path}`);
    // A path with dots is made plain by the client before it is sent.
    if (path !== '.') assert.equal(response.status, 404, path);
    await response.text();
  }
});
