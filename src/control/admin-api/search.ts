// Regular expressions of clients, over names and paths.
//
// An expression may need ages for a short text, and the control thread has other things to do: it gets a deadline, which the
// engine keeps even in the middle of a match.

import { createContext, runInContext } from 'node:vm';
import { Refusal } from '../catalog.ts';

const PATTERN_LENGTH_MAX = 512;
const SEARCH_MS = 200;

const PROGRAM = `
  const { pattern, groups } = JSON.parse(input);
  const expression = new RegExp(pattern);
  JSON.stringify(groups.map((texts) => texts.some((text) => expression.test(text))));
`;

/** For each group, whether any of its texts is matched anywhere. Throws a Refusal that names the parameter. */
export function search(
  parameter: string,
  pattern: string,
  groups: readonly (readonly string[])[],
): readonly boolean[] {
  if (pattern.length > PATTERN_LENGTH_MAX) {
    throw toRefusal(parameter, `is longer than ${PATTERN_LENGTH_MAX} characters`);
  }
  try {
    const context = createContext({ input: JSON.stringify({ pattern, groups }) });
    return JSON.parse(String(runInContext(PROGRAM, context, { timeout: SEARCH_MS }))) as boolean[];
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw toRefusal(parameter, 'takes too long');
    throw toRefusal(parameter, `is not a regular expression: ${String(message)}`);
  }
}

function toRefusal(parameter: string, problem: string): Refusal {
  return new Refusal(400, { error_msg: `invalid argument ${parameter}: ${problem}` });
}
