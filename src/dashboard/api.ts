// Asks the admin listener, with the key when there is one.
//
// Owns the key. It stays in this page's memory: a key that writes is not left in the browser's storage, where whatever is
// served from this host and port later could read it; a page that is loaded anew asks for it again.

const REQUEST_MS = 15_000;

/** An answer other than 2xx, with what the server said. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, message: string, body: unknown) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** The user closed the question for the key. */
export class KeyRefused extends Error {
  constructor() {
    super('a key is needed for this');
  }
}

export interface Api {
  /** Parsed JSON; null of an empty answer. Rejects with ApiError, KeyRefused or what fetch says. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** The whole answer, for reading it as it comes. */
  open(path: string, signal: AbortSignal): Promise<Response>;
  /** The user wants to be asked again: after a refusal reading does not ask by itself. Writing always does. */
  permit(): void;
}

/** `askKey` shows what the server said and resolves with a key, or null when the user has none to give. */
export function createApi(askKey: (reason: string) => Promise<string | null>): Api {
  /** The last one that was good for something: what is given later does not replace it before it is good itself. */
  let key: string | null = null;
  let asking: Promise<void> | null = null;
  let isRefused = false;

  async function send(method: string, path: string, init: () => RequestInit): Promise<Response> {
    const attempt = (tried: string | null): Promise<Response> => fetchWith(tried, method, path, init());
    for (;;) {
      const tried = key;
      const response = await attempt(tried);
      if (response.status !== 401) return response;
      const reason = await readReason(response);
      // Another request may have got a key meanwhile, or is about to.
      if (key !== tried) continue;
      if (asking !== null) {
        await asking;
        continue;
      }
      if (isRefused && method === 'GET') throw new KeyRefused();
      const answered = ask(tried === null ? '' : reason, attempt);
      asking = answered.then(() => {}).finally(() => (asking = null));
      // Perhaps nobody else waits for it.
      asking.catch(() => {});
      return answered;
    }
  }

  /** Until a key is good for this request. */
  async function ask(firstReason: string, attempt: (tried: string) => Promise<Response>): Promise<Response> {
    for (let reason = firstReason; ; ) {
      const given = await askKey(reason);
      if (given === null) {
        isRefused = true;
        throw new KeyRefused();
      }
      const response = await attempt(given);
      if (response.status !== 401) {
        key = given;
        isRefused = false;
        return response;
      }
      reason = await readReason(response);
    }
  }

  return {
    permit() {
      isRefused = false;
    },
    async call(method, path, body) {
      // Made anew for each attempt: the user may take any time for the key.
      const response = await send(method, path, () => ({
        signal: AbortSignal.timeout(REQUEST_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }));
      const answer = await readBody(response);
      if (response.ok) return answer;
      throw new ApiError(response.status, toMessage(answer, response.status), answer);
    },
    async open(path, signal) {
      let timer = 0;
      try {
        // Until the answer begins; from then on the reader watches it.
        const response = await send('GET', path, () => {
          const late = new AbortController();
          clearTimeout(timer);
          timer = setTimeout(() => late.abort(), REQUEST_MS);
          return { signal: AbortSignal.any([signal, late.signal]) };
        });
        if (response.ok) return response;
        throw new ApiError(response.status, toMessage(await readBody(response), response.status), null);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function fetchWith(
  key: string | null,
  method: string,
  path: string,
  options: RequestInit,
): Promise<Response> {
  return fetch(path, {
    method,
    ...options,
    headers: {
      ...(key === null ? {} : { 'x-api-key': key }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    // The cookie of the same name is for others.
    credentials: 'omit',
    cache: 'no-store',
    redirect: 'error',
  });
}

async function readReason(response: Response): Promise<string> {
  return toMessage(await readBody(response), response.status);
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function toMessage(body: unknown, status: number): string {
  const { error } = (typeof body === 'object' && body !== null ? body : {}) as { readonly error?: unknown };
  return typeof error === 'string' ? error : `the answer was ${status}`;
}
