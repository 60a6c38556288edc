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
}

/** `askKey` shows what the server said and resolves with a key, or null when the user has none to give. */
export function createApi(askKey: (reason: string) => Promise<string | null>): Api {
  let key: string | null = null;
  let asking: Promise<void> | null = null;

  async function send(method: string, path: string, init: () => RequestInit): Promise<Response> {
    for (;;) {
      const tried = key;
      const options = init();
      const response = await fetch(path, {
        method,
        ...options,
        headers: {
          ...(tried === null ? {} : { 'x-api-key': tried }),
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        // The cookie of the same name is for others.
        credentials: 'omit',
        cache: 'no-store',
        redirect: 'error',
      });
      if (response.status !== 401) return response;
      const reason = toMessage(await readBody(response), response.status);
      // Another request may have got a key meanwhile.
      if (key !== tried) continue;
      asking ??= ask(tried === null ? '' : reason).finally(() => {
        asking = null;
      });
      await asking;
    }
  }

  async function ask(reason: string): Promise<void> {
    const given = await askKey(reason);
    if (given === null) throw new KeyRefused();
    key = given;
  }

  return {
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
