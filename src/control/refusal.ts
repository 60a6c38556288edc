// What a client of the Admin API is told when a change is not tried, or not through.

import type { ResourceKind } from '../config/apisix/resource.ts';
import { Refusal } from './catalog.ts';

export function toReadOnly(kind: ResourceKind, id: string): Refusal {
  const noun = kind.slice(0, -1);
  return new Refusal(405, {
    error_msg: `${noun} [${id}] stands in a config file and can only be changed there; only GET is allowed for it here`,
  });
}

export function toNotInForce(reason: string): Refusal {
  return new Refusal(503, { error_msg: `the change is stored, but not in force everywhere: ${reason}` });
}

export function toUnavailable(reason: string): Refusal {
  return new Refusal(503, { error_msg: `routes cannot be changed now: ${reason}` });
}
