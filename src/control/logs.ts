// Writes the log: JSON lines on stdout, the control thread's own and those that other threads send it.
//
// The only part that touches stdout while the gateway runs. Never waits for the reader of the log: what it does
// not take in time is held up to a bound, then dropped and counted. Never lets a broken pipe end the process.

import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { LogEvent, LogFields, LogLevel } from '../core/log.ts';

/** Bytes that may wait for stdout. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** How long close() waits for stdout to take the rest. */
const CLOSE_MS = 1000;

const LOG_LEVELS: readonly string[] = ['info', 'warn', 'error'] satisfies readonly LogLevel[];

export interface LogsOptions {
  /** The same name that the threads give to openLogSink(). */
  readonly channelName: string;
  /** Events below it are not written. Default info. */
  readonly level?: LogLevel;
  /** Takes whole lines; stdout when left out. */
  readonly stream?: DestinationStream;
}

export interface Logs {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Lines that were lost because the reader of stdout was too slow or gone. */
  lost(): number;
  /** Takes what threads have posted so far, writes it, and stops listening. Resolves within a second or so. */
  close(): Promise<void>;
}

interface Sink {
  readonly stream: DestinationStream;
  lost(): number;
  flush(): Promise<void>;
}

export function createLogs(options: LogsOptions): Logs {
  const sink = options.stream === undefined ? openStdout() : toSink(options.stream);
  const logger = openLogger(options.level ?? 'info', sink.stream);
  const channel = new BroadcastChannel(options.channelName);
  channel.onmessage = (message: unknown) => {
    writeEvent(logger, (message as { readonly data: unknown }).data);
  };
  // Logging alone keeps no process alive.
  channel.unref();
  let closed = false;
  return {
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    lost: sink.lost,
    async close() {
      if (!closed) {
        closed = true;
        drainChannel(channel, logger);
        channel.close();
      }
      await sink.flush();
    },
  };
}

function openLogger(level: LogLevel, stream: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      messageKey: 'msg',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

/** Other threads are trusted with the content, not with the shape: one bad event must not stop the log. */
function isLogEvent(value: unknown): value is LogEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { level, message, fields } = value as Record<string, unknown>;
  return (
    typeof level === 'string' &&
    LOG_LEVELS.includes(level) &&
    typeof message === 'string' &&
    typeof fields === 'object'
  );
}

function writeEvent(logger: Logger, event: unknown): void {
  if (isLogEvent(event)) logger[event.level](event.fields, event.message);
}

function drainChannel(channel: BroadcastChannel, logger: Logger): void {
  // Node takes a BroadcastChannel here, and says so in its manual; the types do not know.
  const port = channel as unknown as MessagePort;
  for (let posted = receiveMessageOnPort(port); posted; posted = receiveMessageOnPort(port)) {
    writeEvent(logger, posted.message);
  }
}

function openStdout(): Sink {
  let lost = 0;
  let broken = false;
  // Asynchronous, because a pipe that nobody reads would stop the control thread, signals included.
  // With minLength 0 flush() would not wait.
  const stdout = destination({ dest: 1, sync: false, minLength: 1, maxLength: WAITING_BYTES_MAX });
  stdout.on('drop', () => {
    lost++;
  });
  stdout.on('error', () => {
    broken = true;
  });
  return {
    stream: {
      write(line) {
        if (broken) lost++;
        else stdout.write(line);
      },
    },
    lost: () => lost,
    flush: () =>
      new Promise((resolve) => {
        if (broken) return resolve();
        const timer = setTimeout(() => {
          // Else the exit of the process would wait for the reader again, and for ever.
          broken = true;
          stdout.destroy();
          resolve();
        }, CLOSE_MS);
        stdout.flush(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

function toSink(stream: DestinationStream): Sink {
  return { stream, lost: () => 0, flush: async () => {} };
}
