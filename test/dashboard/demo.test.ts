// `umbra demo --keep`: the sample servers stay, with traffic, for the dashboard.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`the demo goes on with its traffic for the dashboard until ${signal}`, {
    timeout: 280_000,
  }, async (t) => {
    const demo = spawn(process.execPath, [MAIN, 'demo', '--keep'], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => demo.kill('SIGKILL'));
    const exited = once(demo, 'exit');
    let url: URL | null = null;
    for await (const line of createInterface({ input: demo.stdout })) {
      const found = /^dashboard (\S+)/.exec(line);
      if (found === null) continue;
      url = new URL(found[1]!);
      break;
    }
    assert.equal(url?.hash, '#route=shop');
    assert.match(await (await fetch(new URL('/', url.origin))).text(), /<title>umbra<\/title>/);
    const reader = (await fetch(`${url.origin}/events`))
      .body!.pipeThrough(new TextDecoderStream())
      .getReader();
    // The first event tells everything; another one comes when something has changed.
    let text = '';
    while (text.split('event: mirrors').length < 3) text += (await reader.read()).value ?? assert.fail(text);
    await reader.cancel();
    demo.kill(signal);
    assert.deepEqual(await exited, [0, null]);
    await assert.rejects(fetch(url.origin));
  });
}
