// What the control thread and a front-end thread say to each other.

import type { RouteEntry, Writers } from './book.ts';
import type { Limits, Listener } from './model.ts';

/** Given to a front-end thread at its start. */
export interface FrontendData {
  readonly frontend: number;
  readonly writers: Writers;
  readonly processBook: SharedArrayBuffer;
  readonly listeners: readonly Listener[];
  readonly limits: Limits;
  readonly logChannel: string;
  /** BroadcastChannel for what comparing finds out (core/findings.ts). */
  readonly findingsChannel: string;
  /** Where requests for the Admin API go that come by these listeners; null when those do not serve it. */
  readonly adminOrigin: string | null;
  readonly entries: readonly RouteEntry[];
}

/** To a front end. */
export type Order =
  /** Routes of these ids in this order; `changed` are those that the thread does not have in this form yet. */
  | {
      readonly kind: 'routes';
      readonly generation: number;
      readonly ids: readonly string[];
      readonly changed: readonly RouteEntry[];
    }
  /** Answered by a pong as soon as the loop turns. */
  | { readonly kind: 'ping' }
  /** Let what runs end within `graceMs`, then end the thread. */
  | { readonly kind: 'drain'; readonly graceMs: number };

/** From a front end. */
export type Report =
  /** It serves. */
  | { readonly kind: 'ready' }
  /** It cannot listen, and waits to be told to end. */
  | { readonly kind: 'failed'; readonly message: string }
  /** An exception that nobody caught: it goes on, but should be drained. */
  | { readonly kind: 'defect'; readonly message: string }
  | { readonly kind: 'pong' }
  /** New exchanges begin on that generation of routes. */
  | { readonly kind: 'applied'; readonly generation: number }
  /** The last word. `complete` is false when the deadline cut exchanges off. */
  | { readonly kind: 'drained'; readonly complete: boolean };
