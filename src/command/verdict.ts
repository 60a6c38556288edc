// `umbra verdict`: asks a running gateway whether the shadows may take over, for a person or for a pipeline.
//
// Owns the flags, the waiting and the exit code: 0 pass, 1 fail, 2 everything that is neither, be it too little data, a
// gateway that cannot be reached or a mistake in the command line. Nothing but a pass of every route that was asked for is 0.

import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DEFAULTS, DURATION_MS_MAX } from '../config/defaults.ts';
import { toDurationMs } from '../config/quantity.ts';
import { parseThreshold, THRESHOLD_NAMES, type ThresholdName, toThresholdForm } from '../config/threshold.ts';
import { FAIL, INSUFFICIENT, PASS, type Result, toResult } from '../control/verdict/rules.ts';
import type { Verdict } from '../control/verdict/verdict.ts';
import {
  type AdminAccess,
  AdminFailure,
  type Deadline,
  readRouteIds,
  readVerdict,
  resetVerdict,
} from './verdict-admin.ts';
import { toJunit } from './verdict-junit.ts';
import { toPrintable, toReport } from './verdict-report.ts';

export const VERDICT_USAGE = `usage: umbra verdict [flags]         ask a running gateway whether the shadows answer as their primaries do

  --admin URL             admin listener (default: http://${DEFAULTS.adminAddress})
  --key KEY               its key; better in the environment: UMBRA_ADMIN_KEY
  --route ID              judge this route; may be repeated (default: every route that compares)
  --min-compared N        thresholds, in place of those of the routes: shares are numbers from 0 to 1,
  --max-mismatch SHARE      or percentages such as 0.1%
  --max-error SHARE
  --max-p99-ratio X
  --fresh                 begin anew: count nothing that was before (needs the key)
  --wait DURATION         until every route passes or fails, at most so long, such as 10m
  --json                  print the verdicts as JSON
  --junit FILE            write them as JUnit XML too

exit code: 0 every route passes, 1 one fails, 2 too little data, or no answer
`;

const EXIT_CODES = { [PASS]: 0, [FAIL]: 1, [INSUFFICIENT]: 2 } as const satisfies Record<Result, number>;
const EXIT_PROBLEM = 2;
const POLL_MS = 1000;
/** Pause after a round of requests, in the time that it took: a gateway of very many routes has other work as well. */
const PAUSE_FACTOR = 3;
/** A round that begins before the end of --wait may go on for so long after it: else the last one would never be answered. */
const ROUND_MS_MIN = 1000;
/** A negative number is a value too, for a better message than that a flag lacks its value. */
const NEGATIVE = /^-[0-9.]/;
const VALUE_FLAGS = ['--min-compared', '--max-mismatch', '--max-error', '--max-p99-ratio', '--wait'];
const PORT_MAX = 65_535;
const KEY_VARIABLE = 'UMBRA_ADMIN_KEY';

/** Where text goes. */
interface Output {
  write(text: string): unknown;
}

interface Request {
  readonly access: AdminAccess;
  /** Empty for every route that compares. */
  readonly routes: readonly string[];
  readonly thresholds: ReadonlyMap<ThresholdName, string>;
  readonly waitMs: number;
  readonly isFresh: boolean;
  readonly isJson: boolean;
  readonly junitFile: string | null;
}

/** A mistake in the command line. */
class UsageError extends Error {}

/** `args` follow the word verdict. Returns the exit code. */
export async function runVerdict(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  out: Output,
  err: Output,
): Promise<number> {
  let request: Request | null;
  try {
    request = parseRequest(args, environment);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    err.write(`umbra verdict: ${error.message}\n\n${VERDICT_USAGE}`);
    return EXIT_PROBLEM;
  }
  if (request === null) {
    out.write(VERDICT_USAGE);
    return 0;
  }
  const startedMs = Date.now();
  const { verdicts, problem } = await takeVerdicts(request);
  const result = toResult(verdicts.map((verdict) => verdict.result));
  // First of all: whoever reads the text may be gone by now.
  const isWritten = writeJunit(
    request.junitFile,
    toJunit(verdicts, problem, startedMs, (Date.now() - startedMs) / 1000),
    err,
  );
  if (problem !== null) err.write(`umbra verdict: ${toPrintable(problem)}\n`);
  if (problem === null) {
    const text = request.isJson
      ? `${JSON.stringify({ result, verdicts }, null, 2)}\n`
      : toReport(verdicts, result);
    out.write(text);
  }
  return problem === null && isWritten ? EXIT_CODES[result] : EXIT_PROBLEM;
}

function writeJunit(file: string | null, text: string, err: Output): boolean {
  if (file === null) return true;
  try {
    writeFileSync(file, text);
    return true;
  } catch (cause) {
    err.write(`umbra verdict: cannot write ${file}: ${cause instanceof Error ? cause.message : cause}\n`);
    return false;
  }
}

interface Taken {
  readonly verdicts: readonly Verdict[];
  /** Why there is no verdict; then there are none. */
  readonly problem: string | null;
}

async function takeVerdicts(request: Request): Promise<Taken> {
  const { waitMs } = request;
  const endsAt = performance.now() + waitMs;
  /** Routes that began anew already: a second time would lose what came since. */
  const begun = new Set<string>();
  let last: Taken | null = null;
  for (;;) {
    const beganAt = performance.now();
    const deadline = waitMs === 0 ? Number.POSITIVE_INFINITY : Math.max(endsAt, beganAt + ROUND_MS_MIN);
    const taken = await takeOnce(request, begun, deadline);
    const isDecided =
      taken.verdicts.length > 0 && taken.verdicts.every(({ result }) => result !== INSUFFICIENT);
    const nowMs = performance.now();
    const leftMs = endsAt - nowMs;
    // Cut short by the end of the wait, which says less than what was known before.
    if (taken.problem !== null && nowMs >= deadline && last !== null) return last;
    if (isDecided || !taken.isOpen || leftMs <= 0) return taken;
    if (taken.problem === null) last = taken;
    await sleep(Math.min(leftMs, Math.max(POLL_MS, PAUSE_FACTOR * (nowMs - beganAt))));
  }
}

/** `isOpen`: another answer may come later. */
async function takeOnce(
  { access, routes, thresholds, isFresh }: Request,
  begun: Set<string>,
  deadline: Deadline,
): Promise<Taken & { readonly isOpen: boolean }> {
  try {
    const ids = routes.length > 0 ? routes : await readRouteIds(access, deadline);
    const verdicts: Verdict[] = [];
    for (const id of ids) {
      if (isFresh && !begun.has(id)) {
        await resetVerdict(access, id, deadline);
        begun.add(id);
      }
      const verdict = await readVerdict(access, id, thresholds, deadline);
      if (verdict !== null) verdicts.push(verdict);
      else if (routes.length > 0) {
        return toProblem(
          `the route ${JSON.stringify(id)} does not compare: its mirror needs compare.enabled`,
          false,
        );
      }
    }
    if (verdicts.length === 0)
      return toProblem('no route of this gateway compares: there is nothing to judge', true);
    return { verdicts, problem: null, isOpen: true };
  } catch (error) {
    if (!(error instanceof AdminFailure)) throw error;
    // A route of the list may be gone by now.
    const isGone = error.status === 404 && routes.length === 0;
    return toProblem(error.message, error.isTransient || isGone);
  }
}

function toProblem(problem: string, isOpen: boolean): Taken & { readonly isOpen: boolean } {
  return { verdicts: [], problem, isOpen };
}

/** Null when help is asked for. Throws a UsageError. */
function parseRequest(args: readonly string[], environment: NodeJS.ProcessEnv): Request | null {
  const values = readFlags(args);
  if (values.help === true) return null;
  const key = values.key ?? environment[KEY_VARIABLE] ?? '';
  // What no header may have.
  if (/[^\x20-\x7e]/.test(key)) throw new UsageError('the key has characters that no key may have');
  const thresholds = new Map<ThresholdName, string>();
  for (const name of THRESHOLD_NAMES) {
    const flag = name.replaceAll('_', '-') as 'min-compared' | 'max-mismatch' | 'max-error' | 'max-p99-ratio';
    const text = values[flag];
    if (text === undefined) continue;
    if (parseThreshold(name, text) === null) {
      throw new UsageError(`--${flag} must be ${toThresholdForm(name)}, found ${JSON.stringify(text)}`);
    }
    thresholds.set(name, text);
  }
  return {
    access: {
      url: parseAdmin(values.admin ?? `http://${DEFAULTS.adminAddress}`),
      key: key === '' ? null : key,
    },
    routes: [...new Set(values.route ?? [])],
    thresholds,
    waitMs: values.wait === undefined ? 0 : parseWait(values.wait),
    isFresh: values.fresh ?? false,
    isJson: values.json ?? false,
    junitFile: values.junit ?? null,
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: joinNegatives(args),
      options: {
        admin: { type: 'string' },
        key: { type: 'string' },
        route: { type: 'string', multiple: true },
        'min-compared': { type: 'string' },
        'max-mismatch': { type: 'string' },
        'max-error': { type: 'string' },
        'max-p99-ratio': { type: 'string' },
        wait: { type: 'string' },
        fresh: { type: 'boolean' },
        json: { type: 'boolean' },
        junit: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** `--flag -1` as `--flag=-1`. */
function joinNegatives(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const isValue = VALUE_FLAGS.includes(joined.at(-1) ?? '') && NEGATIVE.test(arg);
    if (isValue) joined.push(`${joined.pop()}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

function parseAdmin(text: string): string {
  const port = /^https?:\/\/[^/?#]*:([^:/?#\]@]*)(?:[/?#]|$)/i.exec(text)?.[1] ?? '';
  if (port !== '' && !(/^[0-9]+$/.test(port) && Number(port) >= 1 && Number(port) <= PORT_MAX)) {
    const found = JSON.stringify(text);
    throw new UsageError(`the port of --admin must be a number from 1 to ${PORT_MAX}, found ${found}`);
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain =
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (!isPlain) {
    throw new UsageError(
      `--admin must be a URL such as http://127.0.0.1:9180, found ${JSON.stringify(text)}`,
    );
  }
  return url.href.replace(/\/+$/, '');
}

function parseWait(text: string): number {
  const waitMs = toDurationMs(text);
  if (waitMs !== null && waitMs <= DURATION_MS_MAX) return waitMs;
  throw new UsageError(
    `--wait must be a duration of at most a day such as 10m, found ${JSON.stringify(text)}`,
  );
}
