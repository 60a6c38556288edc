// Backends that get copies, in umbra's own dialect → model: the shadows of a mirror, and the control of its comparison.
//
// Owns which headers nobody may edit, and that origins differ. Like all of the translation it reports and goes on.

import { classifyRequestHeader, RequestHeader } from '../../core/headers.ts';
import { type HeaderEdits, ROLE_SHADOW, type Shadow } from '../../core/model.ts';
import type { Path } from '../problem.ts';
import type { Loose } from '../shape.ts';
import type { ShadowInput } from './shadow-schema.ts';
import { type PartTranslation, type Translation, toBackend, toHostHeader } from './upstream.ts';

/** Why an edit of this header would break the copy. */
const UNTOUCHABLE: ReadonlyMap<number, string> = new Map([
  [RequestHeader.hopByHop, 'belongs to one connection, not to the request'],
  [RequestHeader.connection, 'belongs to one connection, not to the request'],
  [RequestHeader.contentLength, 'frames the body, and umbra sets it'],
  [RequestHeader.transferEncoding, 'frames the body, and umbra sets it'],
  [RequestHeader.host, 'is set by host_header'],
  [RequestHeader.mirrorMark, "is umbra's guard against loops"],
]);

export function toShadows(
  inputs: readonly (Loose<ShadowInput> | undefined)[],
  at: Path,
  translation: Translation,
): readonly Shadow[] {
  const seen = new Map<string, Path>();
  return inputs.map((input = {}, index) => {
    const path = [...at, index];
    const shadow = toShadow(input, ROLE_SHADOW, path, translation);
    const other = seen.get(shadow.origin);
    if (shadow.origin !== '' && other !== undefined) {
      const { report } = translation;
      const message = `has the same origin as the shadow in line ${report.lineOf(other)}`;
      report.add({ path: [...path, 'url'], rule: 'duplicate', message, found: input.url });
    } else {
      seen.set(shadow.origin, [...path, 'url']);
    }
    return shadow;
  });
}

export function toShadow(
  input: Loose<ShadowInput>,
  role: Shadow['role'],
  at: Path,
  translation: PartTranslation,
): Shadow {
  return {
    ...toBackend(input, at, translation),
    headers: toHeaderEdits(input.headers ?? {}, [...at, 'headers'], translation),
    hostHeader: toHostHeader(input.host_header, [...at, 'host_header'], translation),
    role,
  };
}

/** Why no rule may change that header; null when one may. */
export function findEditProblem(name: string): string | null {
  return UNTOUCHABLE.get(classifyRequestHeader(name.toLowerCase())) ?? null;
}

/** What the shape left of a list, with indexes. An empty one is a mapping where Lua has written it. */
export function listGiven<T>(
  inputs: readonly (T | undefined)[] | undefined,
): readonly (readonly [number, T])[] {
  if (!Array.isArray(inputs)) return [];
  return [...(inputs as readonly (T | undefined)[]).entries()].filter(
    (entry): entry is [number, T] => entry[1] !== undefined,
  );
}

function toHeaderEdits(
  input: NonNullable<Loose<ShadowInput>['headers']>,
  at: Path,
  translation: PartTranslation,
): HeaderEdits {
  const set: [string, string][] = [];
  const names = new Set<string>();
  for (const [name, value = ''] of Object.entries(input.set ?? {})) {
    const path = [...at, 'set', name];
    checkEditable(name, path, true, translation);
    takeName(name, names, path, true, translation);
    set.push([name.toLowerCase(), value]);
  }
  const remove: string[] = [];
  for (const [index, name] of listGiven(input.remove)) {
    const path = [...at, 'remove', index];
    checkEditable(name, path, false, translation);
    takeName(name, names, path, false, translation);
    remove.push(name.toLowerCase());
  }
  return { set, remove };
}

function checkEditable(name: string, path: Path, atKey: boolean, { report }: PartTranslation): void {
  const reason = findEditProblem(name);
  if (reason === null) return;
  report.add({ path, rule: 'conflict', message: `cannot be edited: it ${reason}`, found: name, atKey });
}

/** Names are compared without case, and YAML is not, so a header could be named twice. */
export function takeName(
  name: string,
  names: Set<string>,
  path: Path,
  atKey: boolean,
  { report }: PartTranslation,
): void {
  const lowerCase = name.toLowerCase();
  if (names.has(lowerCase)) {
    report.add({
      path,
      rule: 'duplicate',
      message: 'names the same header a second time',
      found: name,
      atKey,
    });
  }
  names.add(lowerCase);
}
