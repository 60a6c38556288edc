// Writes the log: JSON lines on stdout, the control thread's own and those that other threads send it.
//
// The only part that touches stdout while the gateway runs. Never waits for the reader of the log: what it does
// not take in time is held up to a bound, then dropped and counted. Never lets a broken pipe end the process.

import { EventEmitter, once } from 'node:events';
import { write } from 'node:fs';
import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { LogEvent, LogFields, LogLevel } from '../core/log.ts';

/** Bytes that may wait for stdout. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
const STDOUT = 1;
const RETRY_MS = 50;
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
    typeof fields === 'object' &&
    fields !== null
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

/**
 * Writes to file descriptor 1 asynchronously: process.stdout writes to a pipe synchronously, so a pipe that nobody
 * reads would stop the control thread, signals included; and pino's own destination, given up while it writes,
 * never comes to rest (sonic-boom 4.2).
 */
function openStdout(): Sink {
  let waiting: string[] = [];
  let waitingBytes = 0;
  let lost = 0;
  let isWriting = false;
  let isBroken = false;
  const idle = new EventEmitter();

  function writeNext(): void {
    isWriting = waiting.length > 0 && !isBroken;
    if (!isWriting) {
      idle.emit('idle');
      return;
    }
    const chunk = Buffer.from(waiting.join(''));
    waiting = [];
    writeFrom(chunk, 0);
  }

  function writeFrom(chunk: Buffer, offset: number): void {
    write(STDOUT, chunk, offset, (error, written) => {
      if (error?.code === 'EAGAIN') {
        // Somebody who shares stdout has made it non-blocking.
        setTimeout(writeFrom, RETRY_MS, chunk, offset);
      } else if (error) {
        isBroken = true;
        writeNext();
      } else if (offset + written < chunk.length) {
        writeFrom(chunk, offset + written);
      } else {
        waitingBytes -= chunk.length;
        writeNext();
      }
    });
  }

  return {
    stream: {
      write(line) {
        const bytes = Buffer.byteLength(line);
        if (isBroken || waitingBytes + bytes > WAITING_BYTES_MAX) {
          lost++;
          return;
        }
        waitingBytes += bytes;
        waiting.push(line);
        if (!isWriting) writeNext();
      },
    },
    lost: () => lost,
    async flush() {
      if (!isWriting) return;
      // Takes no more than this: an exit must not wait for a reader that does not read.
      const given = AbortSignal.timeout(CLOSE_MS);
      await once(idle, 'idle', { signal: given }).catch(() => {
        isBroken = true;
      });
    },
  };
}

function toSink(stream: DestinationStream): Sink {
  return { stream, lost: () => 0, flush: async () => {} };
}
