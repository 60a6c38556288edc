// What a load client is asked for, and what it answers, over the IPC channel.

export interface ClientOptions {
  readonly port: number;
  readonly path: string;
  /** 0 is a GET, more a POST with a body of that length. */
  readonly requestBytes: number;
  readonly tls: boolean;
}

/** What the parent asks for, over the IPC channel. */
export interface Phase {
  /** Infinite for a phase that only its time ends, which takes no latencies. */
  readonly requests: number;
  readonly connections: number;
  /** Requests a second, all connections together; 0 is the closed loop. */
  readonly ratePerSecond: number;
  /** The phase ends then, answered or not; infinite to wait for every answer. */
  readonly cutOffMs: number;
}

/** Answers are counted by intervals of this length. */
export const INTERVAL_MS = 100;

export interface PhaseResult {
  /** Of each answer, in the order of arrival; infinite for what was not answered when the phase was cut off. */
  readonly latenciesUs: Float64Array;
  /** How late the client itself was for each request; zeros in the closed loop. */
  readonly lateUs: Float64Array;
  /** Answers other than 200. */
  readonly refused: number;
  readonly answered: number;
  readonly seconds: number;
  /** Answers that came in each INTERVAL_MS since the start. */
  readonly answeredBy: readonly number[];
}
