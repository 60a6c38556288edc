// The live stream of GET /events: opened, watched, and opened again when it breaks.
//
// Never gives up; the pauses between attempts grow. A stream that says nothing for a while counts as broken.

import { type Api, ApiError, KeyRefused } from './api.ts';
import { createEventParser, type StreamEvent } from './event-stream.ts';

const PATH = '/events';
/** The server says something each 15 s, if only that it is there. */
const SILENCE_MS = 40_000;
const PAUSES_MS: readonly number[] = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];

export type FeedState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly reason: string; readonly retryMs: number }
  /** Until retry() is called. */
  | { readonly kind: 'locked' };

export interface FeedOptions {
  readonly api: Api;
  readonly onEvent: (event: StreamEvent) => void;
  readonly onState: (state: FeedState) => void;
}

export interface Feed {
  /** Tries again at once. */
  retry(): void;
}

export function openFeed({ api, onEvent, onState }: FeedOptions): Feed {
  let failures = 0;
  let wake = (): void => {};

  async function run(): Promise<never> {
    onState({ kind: 'connecting' });
    for (;;) {
      const state = await readOnce();
      onState(state);
      await pause(state.kind === 'lost' ? state.retryMs : null);
    }
  }

  /** Resolves when the stream has ended, with what to say and how long to wait. */
  async function readOnce(): Promise<FeedState> {
    try {
      await read();
    } catch (error) {
      if (error instanceof KeyRefused) return { kind: 'locked' };
      return toLost(error instanceof ApiError ? error.message : 'the gateway does not answer');
    }
    return toLost('the gateway ended the stream');
  }

  function toLost(reason: string): FeedState {
    const retryMs = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]!;
    failures += 1;
    return { kind: 'lost', reason, retryMs };
  }

  async function read(): Promise<void> {
    const ending = new AbortController();
    const response = await api.open(PATH, ending.signal);
    if (response.body === null) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = createEventParser();
    let timer = 0;
    try {
      for (;;) {
        clearTimeout(timer);
        timer = setTimeout(() => ending.abort(), SILENCE_MS);
        const { done, value } = await reader.read();
        if (done) return;
        for (const event of parse(value)) {
          failures = 0;
          onState({ kind: 'live' });
          onEvent(event);
        }
      }
    } finally {
      clearTimeout(timer);
      ending.abort();
    }
  }

  function pause(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? 0 : setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  void run();
  return { retry: () => wake() };
}
