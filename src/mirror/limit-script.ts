// What a limit asks of Redis: the script that takes places in windows, its values, and how its answer is read.
//
// Owns the layout of a window in Redis: one key, whose value is the places that are left and whose expiry is the window's
// end. The window starts with its first copy, on Redis's clock; a key without expiry, or with one beyond its window since
// that clock was set back, is begun anew.

import type { RedisScript } from '../redis/connection.ts';

/** What is asked for one key. */
export interface PlacesAsked {
  /** How many copies want one; 0 looks whether a place could be taken, and takes none. */
  readonly places: number;
  readonly count: number;
  readonly windowMs: number;
}

/** What became of one key: an error that concerns it alone, or the places. */
export type PlacesAnswer =
  | { readonly error: string }
  | {
      readonly error: null;
      readonly granted: number;
      /** How long the window stays full from now on; 0 while places are left. */
      readonly closedMs: number;
    };

const VALUES_PER_KEY = 3;
const ANSWERS_PER_KEY = 2;
const REFUSED = -1;

/**
 * For each key its places, count and window; answers with granted and closedMs for each, or -1 and the error. An error that
 * concerns the server ends the script before it has written anything. SETRANGE with an empty text changes nothing and
 * needs all that taking a place needs: a master, memory, a key of the right type.
 */
export const TAKE_PLACES: RedisScript = {
  name: 'umbraTakePlaces',
  lua: `
local answer = {}
for i = 1, #KEYS do
  local key = KEYS[i]
  local places, count, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local found = redis.pcall('GET', key)
  local left, ttl, isNew = count, window, true
  local refusal = nil
  if type(found) == 'table' then
    refusal = found.err
  elseif found then
    local running = redis.call('PTTL', key)
    if not string.match(found, '^%-?%d+$') then
      refusal = 'the key does not hold a whole number'
    elseif running >= 0 and running <= window then
      left, ttl, isNew = tonumber(found), running, false
    end
  end
  if refusal then
    answer[2 * i - 1], answer[2 * i] = ${REFUSED}, refusal
  else
    local granted = math.min(places, math.max(left, 0))
    if places == 0 then
      redis.call('SETRANGE', key, 0, '')
    elseif granted > 0 and isNew then
      redis.call('SET', key, left - granted, 'PX', window)
    elseif granted > 0 then
      redis.call('DECRBY', key, granted)
    end
    answer[2 * i - 1], answer[2 * i] = granted, left - granted > 0 and 0 or ttl
  end
end
return answer
`,
};

export function toValues(asked: readonly PlacesAsked[]): number[] {
  const values = new Array<number>(asked.length * VALUES_PER_KEY);
  asked.forEach(({ places, count, windowMs }, index) => {
    values[index * VALUES_PER_KEY] = places;
    values[index * VALUES_PER_KEY + 1] = count;
    values[index * VALUES_PER_KEY + 2] = windowMs;
  });
  return values;
}

/** Null when it is not the script's answer for so many keys. */
export function readAnswers(reply: unknown, keys: number): PlacesAnswer[] | null {
  if (!Array.isArray(reply) || reply.length !== keys * ANSWERS_PER_KEY) return null;
  const answers: PlacesAnswer[] = [];
  for (let index = 0; index < keys; index++) {
    const [granted, detail]: unknown[] = reply.slice(index * ANSWERS_PER_KEY);
    if (granted === REFUSED) answers.push({ error: String(detail) });
    else if (typeof granted === 'number' && typeof detail === 'number') {
      answers.push({ error: null, granted, closedMs: detail });
    } else return null;
  }
  return answers;
}
