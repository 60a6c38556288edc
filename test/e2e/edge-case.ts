// What a row of the edge's tables says: bytes as a client sends them, and what must become of them.
//
// Rows are data; edge.test.ts and edge-split.test.ts run them. Text is latin1, one byte per character.

export const HOST = 'edge.example';

/** A request as an upstream must see it, beyond what the gateway adds to all of them. */
export interface Seen {
  /** `GET /path HTTP/1.1`. */
  readonly line: string;
  readonly host: string;
  /** End-to-end fields in their order, as `name: value`, without host and framing. */
  readonly fields: readonly string[];
  readonly body: string;
}

export type Verdict =
  | {
      readonly kind: 'forwarded';
      readonly sees: Seen;
      /** Whether the connection must not be used again; otherwise it must be usable. */
      readonly closes: boolean;
      /** Whether the answer is preceded by 100 (Continue). */
      readonly continues: boolean;
    }
  /** Answered with that status and closed; nothing of it goes on. */
  | { readonly kind: 'refused'; readonly status: number }
  /** The connection is ended at once. Nothing goes on but, perhaps, a first sound request with that target. */
  | { readonly kind: 'killed'; readonly first: string | null }
  /** No answer; the listener's own deadline ends the connection. Nothing whole goes on. */
  | { readonly kind: 'silent' };

export interface EdgeCase {
  readonly name: string;
  readonly bytes: string;
  readonly verdict: Verdict;
}

interface Expected {
  readonly line?: string;
  readonly host?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
  readonly closes?: boolean;
  readonly continues?: boolean;
}

/** Header lines between the host and the blank line, and what follows it. */
export function get(fields: readonly string[] = [], rest = ''): string {
  return toBytes('GET /row', fields, rest);
}

export function post(fields: readonly string[] = [], rest = ''): string {
  return toBytes('POST /row', fields, rest);
}

/** `start` is method and target. */
export function toBytes(start: string, fields: readonly string[] = [], rest = ''): string {
  return `${[`${start} HTTP/1.1`, `Host: ${HOST}`, ...fields].join('\r\n')}\r\n\r\n${rest}`;
}

/** Without `expected.line` it is the request line as it is in the bytes. */
export function forwarded(name: string, bytes: string, expected: Expected = {}): EdgeCase {
  const { line = bytes.slice(0, bytes.indexOf('\r\n')), host = HOST, fields = [], body = '' } = expected;
  const { closes = false, continues = false } = expected;
  return {
    name,
    bytes,
    verdict: { kind: 'forwarded', sees: { line, host, fields, body }, closes, continues },
  };
}

export function refused(name: string, bytes: string, status = 400): EdgeCase {
  return { name, bytes, verdict: { kind: 'refused', status } };
}

export function killed(name: string, bytes: string, first: string | null = null): EdgeCase {
  return { name, bytes, verdict: { kind: 'killed', first } };
}

export function silent(name: string, bytes: string): EdgeCase {
  return { name, bytes, verdict: { kind: 'silent' } };
}

/** What an attacker would want to be forwarded. */
export const SMUGGLED = `GET /smuggled HTTP/1.1\r\nHost: smuggled.example\r\n\r\n`;
