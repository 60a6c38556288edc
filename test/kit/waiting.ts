// Waiting for a condition that events change, with a deadline that fails the test and says what was missing.
//
// Never polls: whoever changes the state calls check().

const DEADLINE_MS = 30_000;

interface Waiter {
  readonly met: () => boolean;
  readonly resolve: () => void;
}

export interface Waiting {
  /** Resolves as soon as the condition is met; rejects after the deadline with the description. */
  until(met: () => boolean, description: () => string, deadlineMs?: number): Promise<void>;
  /** To be called after every change of what conditions look at. */
  check(): void;
}

export function createWaiting(): Waiting {
  const waiters = new Set<Waiter>();

  function until(met: () => boolean, description: () => string, deadlineMs = DEADLINE_MS): Promise<void> {
    if (met()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiters.delete(waiter);
        reject(new Error(`not within ${deadlineMs} ms: ${description()}`));
      }, deadlineMs);
      const waiter: Waiter = {
        met,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      waiters.add(waiter);
    });
  }

  function check(): void {
    for (const waiter of waiters) {
      if (!waiter.met()) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  }

  return { until, check };
}
