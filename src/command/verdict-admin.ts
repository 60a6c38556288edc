// What `umbra verdict` asks of a running gateway's admin listener.
//
// Owns the requests: their deadline, the size of an answer, and what each failure is called. Whatever answers at that address
// may be no umbra at all: nothing of an answer is used before its form was looked at.

import type { ThresholdName } from '../config/threshold.ts';
import type { Verdict, VerdictFigures } from '../control/verdict/verdict.ts';

const REQUEST_MS = 10_000;
/** Room for the objects of all routes that a gateway may have. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const SHOWN_LENGTH_MAX = 300;

export interface AdminAccess {
  /** Scheme, host, port and perhaps a path, without a slash at its end. */
  readonly url: string;
  readonly key: string | null;
}

/** On the clock of performance.now(), when nothing is waited for any more; a request has REQUEST_MS at most. */
export type Deadline = number;

/** Why an answer could not be had. */
export class AdminFailure extends Error {
  /** Whether the same request may have an answer a moment later. */
  readonly isTransient: boolean;
  readonly status: number | null;

  constructor(message: string, isTransient: boolean, status: number | null = null) {
    super(message);
    this.isTransient = isTransient;
    this.status = status;
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Ids of all mirrored routes. */
export async function readRouteIds(access: AdminAccess, deadline: Deadline): Promise<readonly string[]> {
  const { body } = await ask(access, 'GET', '/mirrors', deadline);
  if (!isObject(body)) throw toStranger(access);
  return Object.keys(body);
}

/** Null for a route that does not compare. */
export async function readVerdict(
  access: AdminAccess,
  route: string,
  thresholds: ReadonlyMap<ThresholdName, string>,
  deadline: Deadline,
): Promise<Verdict | null> {
  const query = new URLSearchParams([...thresholds]).toString();
  try {
    const path = `${toPath(route)}${query === '' ? '' : `?${query}`}`;
    const { body } = await ask(access, 'GET', path, deadline);
    if (!isVerdict(body)) throw toStranger(access);
    return body;
  } catch (error) {
    if (error instanceof AdminFailure && error.status === 409) return null;
    throw error;
  }
}

export async function resetVerdict(access: AdminAccess, route: string, deadline: Deadline): Promise<void> {
  await ask(access, 'DELETE', toPath(route), deadline);
}

function toPath(route: string): string {
  return `/mirrors/${encodeURIComponent(route)}/verdict`;
}

/** Throws an AdminFailure for everything but a status of 2xx. */
async function ask(
  access: AdminAccess,
  method: 'GET' | 'DELETE',
  path: string,
  deadline: Deadline,
): Promise<Answer> {
  const { status, text } = await exchange(access, method, path, deadline);
  const body = parseJson(text);
  if (status >= 200 && status < 300) return { status, body };
  const isOurs = isObject(body) && typeof body.error === 'string';
  if (!isOurs) {
    // A proxy before the gateway answers so while the gateway is down.
    const message = `${access.url} answered ${status}: is this umbra's admin listener?`;
    throw new AdminFailure(message, status >= 500);
  }
  const reason = (body.error as string).slice(0, SHOWN_LENGTH_MAX);
  if (status === 401) {
    throw new AdminFailure(
      `${access.url} refused: ${reason}; give the key by UMBRA_ADMIN_KEY or --key`,
      false,
      401,
    );
  }
  throw new AdminFailure(`${access.url} refused: ${reason}`, status >= 500, status);
}

async function exchange(
  { url, key }: AdminAccess,
  method: string,
  path: string,
  deadline: Deadline,
): Promise<{ readonly status: number; readonly text: string }> {
  // 1 ms: what is over has an end too.
  const timeoutMs = Math.max(1, Math.min(REQUEST_MS, Math.round(deadline - performance.now())));
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { accept: 'application/json', ...(key === null ? {} : { 'x-api-key': key }) },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, text: await readText(response) };
  } catch (cause) {
    throw new AdminFailure(`cannot reach ${url}: ${toReason(cause, timeoutMs)}`, !isBadPort(cause));
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  // Leaving the loop ends the connection.
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** fetch says that it failed, and what happened in its cause. */
function toReason(cause: unknown, timeoutMs: number): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  if (isBadPort(cause)) {
    return 'clients of HTTP must not use this port, as other protocols have it (Fetch standard, bad ports)';
  }
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  const { code } = inner as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'the connection is refused';
  if (code === 'ENOTFOUND') return 'the host name is unknown';
  return inner.message || String(code ?? cause.message);
}

function isBadPort(cause: unknown): boolean {
  return cause instanceof Error && cause.cause instanceof Error && cause.cause.message === 'bad port';
}

function toStranger({ url }: AdminAccess): AdminFailure {
  return new AdminFailure(
    `${url} does not answer as the admin listener of this version of umbra does`,
    false,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isVerdict(body: unknown): body is Verdict {
  return (
    isObject(body) &&
    typeof body.route === 'string' &&
    typeof body.since === 'string' &&
    isFigures(body) &&
    isObject(body.shadows) &&
    Object.values(body.shadows).every(isFigures)
  );
}

/** As far as it is read here. */
function isFigures(value: unknown): value is VerdictFigures {
  if (!isObject(value)) return false;
  const { result, compared, mismatched, mismatch_upper, mismatch_lower, noise, errors, latency_ms } = value;
  return (
    ['pass', 'fail', 'insufficient'].includes(result as string) &&
    [compared, mismatched, mismatch_upper, mismatch_lower].every((count) => typeof count === 'number') &&
    isObject(noise) &&
    typeof noise.comparisons === 'number' &&
    isTexts(noise.fields) &&
    isObject(errors) &&
    [errors.shadow, errors.primary].every(
      (side) => isObject(side) && typeof side.count === 'number' && isNumberOrNull(side.share),
    ) &&
    isLatency(latency_ms) &&
    [value.skipped, value.dropped].every(
      (counts) => isObject(counts) && Object.values(counts).every((count) => typeof count === 'number'),
    ) &&
    isTexts(value.warnings) &&
    Array.isArray(value.checks) &&
    value.checks.every(
      (check) =>
        isObject(check) &&
        isNumberOrNull(check.bound) &&
        [check.name, check.result, check.text].every((text) => typeof text === 'string'),
    )
  );
}

function isLatency(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value.pairs === 'number' &&
    [value.primary, value.shadow, value.difference].every(
      (side) => isObject(side) && Object.values(side).every(isNumberOrNull),
    )
  );
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === 'number';
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
