// The requests and answers that are measured with: heads as browsers and services send them.
//
// Strings that come from a socket are new to the engine: it knows no hash of them, and they are nobody's key. A
// constant in a source file is not like that, so what stands for such strings is made of bytes here, as there.

import type { Limits } from '../../src/core/model.ts';

import { HeadWriter } from '../../src/core/request-head.ts';

export const LIMITS: Limits = {
  headerBytes: 32_768,
  headerCount: 100,
  targetBytes: 8_192,
  bodyBytes: Number.POSITIVE_INFINITY,
  inFlight: 10_000,
  connectionsPerAddress: 256,
  upstreamConnections: 256,
  upstreamQueue: 1_024,
  upstreamQueueMs: 1_000,
  overloadDelayMs: 50,
};

/** Flat lists, `host` among them. A service's call, and a browser's behind a CDN. */
export const REQUEST_HEADERS_8: readonly string[] = [
  ...['host', 'orders.example.com'],
  ...['user-agent', 'orders-client/4.11.2 (linux; x64)'],
  ...['accept', 'application/json'],
  ...['accept-encoding', 'gzip, deflate, br'],
  ...['authorization', 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN'],
  ...['content-type', 'application/json'],
  ...['x-user', 'customer-00417724'],
  ...['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
];

export const REQUEST_HEADERS_30: readonly string[] = [
  ...REQUEST_HEADERS_8,
  ...['connection', 'keep-alive'],
  ...['cache-control', 'max-age=0'],
  ...['sec-ch-ua', '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"'],
  ...['sec-ch-ua-mobile', '?0'],
  ...['sec-ch-ua-platform', '"Linux"'],
  ...['upgrade-insecure-requests', '1'],
  ...['sec-fetch-site', 'same-origin'],
  ...['sec-fetch-mode', 'navigate'],
  ...['sec-fetch-user', '?1'],
  ...['sec-fetch-dest', 'document'],
  ...['referer', 'https://orders.example.com/basket?step=2'],
  ...['accept-language', 'en-GB,en;q=0.9,de;q=0.8'],
  ...['cookie', `session=${'6f1ed002ab5595859014ebf0951522d9'.repeat(4)}; consent=all; theme=dark`],
  ...['if-none-match', 'W/"2f1-18c7a1b5f40"'],
  ...['priority', 'u=0, i'],
  ...['dnt', '1'],
  ...['via', '2 edge-17.example.net'],
  ...['x-forwarded-for', '203.0.113.77'],
  ...['x-forwarded-proto', 'https'],
  ...['cdn-loop', 'edge; loops=1'],
  ...['x-edge-country', 'NZ'],
  ...['x-edge-ray', '8f3b1c2d4e5f6a7b-AKL'],
];

export const RESPONSE_HEADERS_8: readonly string[] = [
  ...['date', 'Tue, 18 Nov 2025 09:12:44 GMT'],
  ...['content-type', 'application/json; charset=utf-8'],
  ...['content-length', '1024'],
  ...['connection', 'keep-alive'],
  ...['keep-alive', 'timeout=5'],
  ...['etag', 'W/"400-a1b2c3d4e5f6"'],
  ...['cache-control', 'private, no-cache'],
  ...['vary', 'accept-encoding, origin'],
];

export const RESPONSE_HEADERS_20: readonly string[] = [
  ...RESPONSE_HEADERS_8,
  ...['server', 'orders/4.11.2'],
  ...['strict-transport-security', 'max-age=63072000; includeSubDomains; preload'],
  ...['content-security-policy', "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"],
  ...['x-content-type-options', 'nosniff'],
  ...['x-frame-options', 'DENY'],
  ...['referrer-policy', 'strict-origin-when-cross-origin'],
  ...['permissions-policy', 'geolocation=(), camera=(), microphone=()'],
  ...['set-cookie', 'session=6f1ed002ab5595859014ebf0951522d9; Path=/; HttpOnly; Secure; SameSite=Lax'],
  ...['set-cookie', 'consent=all; Path=/; Max-Age=31536000'],
  ...['x-request-id', '8f3b1c2d4e5f6a7b'],
  ...['server-timing', 'db;dur=3.1, render;dur=1.7'],
  ...['alt-svc', 'h3=":443"; ma=86400'],
];

/** Strings made of bytes, one byte per character. */
export class FreshStrings {
  /** In the order given; new ones after each refresh(). */
  readonly list: string[] = [];
  readonly #bytes: readonly Buffer[];

  constructor(texts: readonly string[]) {
    this.#bytes = texts.map((text) => Buffer.from(text, 'latin1'));
    this.refresh();
  }

  refresh(): void {
    for (let at = 0; at < this.#bytes.length; at++) this.list[at] = this.#bytes[at]!.toString('latin1');
  }
}

/** Names that the engine knows, as they are once the gateway has read them, and values that it does not. */
export function toReadHeaders(headers: readonly string[]): string[] {
  return headers.map((text, at) => (at % 2 === 0 ? text : Buffer.from(text, 'latin1').toString('latin1')));
}

const heads = new HeadWriter();

/** A request's head as it goes over the wire. */
export function toHeadText(method: string, target: string, headers: readonly string[]): string {
  return heads.write(method, target, headers);
}
