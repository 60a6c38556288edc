// `node bench/micro/repeat.ts TITLE BATCHES call|empty`: makes a case's calls and nothing else.
//
// A process of its own for `perf stat` to count. `empty` makes the same number of empty calls, between which the
// case's inputs are made as well: what is left of the difference is the calls' own.

import assert from 'node:assert/strict';
import process from 'node:process';
import { EMPTY } from './case.ts';
import { findCases } from './subjects.ts';

const [title, batches, what] = process.argv.slice(2);
const found = findCases(title!).find((each) => each.title === title);
assert.ok(found !== undefined, `no case is called ${title}`);
assert.ok(what === 'call' || what === 'empty');

const { batch, open } = found.micro;
const opened = open();
const empty = EMPTY.open();
await opened.check();
// The loop has to know more than one function: see callEach().
for (let round = 0; round < 10; round++) await empty.run(EMPTY.batch);
const { run } = what === 'call' ? opened : empty;
let right = 0;
for (let done = 0; done < Number(batches); done++) {
  opened.refresh?.();
  right += await run(batch);
}
assert.equal(right, Number(batches) * batch);
await opened.close?.();
