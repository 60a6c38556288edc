// The failure table: what can go wrong between a client and its primary, and what the client is told.
//
// The text is all that a client ever sees of it; the cause is logged and counted, never sent.

export interface FailureRow {
  readonly status: number;
  /** Reason phrase, and the body where there is no other. */
  readonly text: string;
  /** A body of JSON instead. */
  readonly json?: string;
}

/** RFC 9110 section 15; 499 is nginx's code for a client that went away, never sent, only counted. */
export const FAILURES = {
  bad_request: { status: 400, text: 'Bad Request' },
  /** As APISIX says it, whose clients may look at it. */
  not_found: { status: 404, text: 'Not Found', json: '{"error_msg":"404 Route Not Found"}' },
  body_too_large: { status: 413, text: 'Content Too Large' },
  target_too_long: { status: 414, text: 'URI Too Long' },
  headers_too_large: { status: 431, text: 'Request Header Fields Too Large' },
  client_gone: { status: 499, text: 'Client Closed Request' },
  internal: { status: 500, text: 'Internal Server Error' },
  refused: { status: 502, text: 'Bad Gateway' },
  reset: { status: 502, text: 'Bad Gateway' },
  malformed: { status: 502, text: 'Bad Gateway' },
  overload: { status: 503, text: 'Service Unavailable' },
  no_primary: { status: 503, text: 'Service Unavailable' },
  queue_full: { status: 503, text: 'Service Unavailable' },
  queue_timeout: { status: 503, text: 'Service Unavailable' },
  connect_timeout: { status: 504, text: 'Gateway Timeout' },
  send_timeout: { status: 504, text: 'Gateway Timeout' },
  read_timeout: { status: 504, text: 'Gateway Timeout' },
} as const satisfies Record<string, FailureRow>;

export type FailureReason = keyof typeof FAILURES;
