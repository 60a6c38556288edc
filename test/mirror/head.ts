// Heads of jobs as text, the way they lie in a record, for tests.

import { parseHead } from '../../src/mirror/copy.ts';
import type { JobHead } from '../../src/mirror/job.ts';

export function toJobHead(text: string): JobHead {
  const { method, rawTarget, headers } = parseHead(text);
  return { method, target: rawTarget, headers };
}
