// Log events on their way from any thread to the control thread, which alone writes the log.
//
// Bounded: a thread posts at most LOGS_PER_SECOND events a second and counts the rest, because a client or a
// shadow can provoke as many as it likes.

import { BroadcastChannel } from 'node:worker_threads';

export type LogLevel = 'info' | 'warn' | 'error';
export type LogFields = Record<string, string | number | boolean | null>;

export interface LogEvent {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Returns false when the event was suppressed; the caller counts that. */
export type LogSink = (level: LogLevel, message: string, fields: LogFields) => boolean;

const LOGS_PER_SECOND = 100;

/** Opens the sending side. The channel keeps neither the thread nor the process alive. */
export function openLogSink(channelName: string): LogSink {
  const channel = new BroadcastChannel(channelName);
  channel.unref();
  let second = 0;
  let posted = 0;
  return (level, message, fields) => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) {
      second = now;
      posted = 0;
    }
    if (++posted > LOGS_PER_SECOND) return false;
    channel.postMessage({ level, message, fields } satisfies LogEvent);
    return true;
  };
}
