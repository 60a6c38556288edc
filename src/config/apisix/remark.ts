// What the translation of a resource has to say about it: problems, and notices about what has no effect.
//
// Owns how it is told to a client of the Admin API, which has no file, line and column.

import { isShowable, type Path, type Rule, toFoundText, toShownPath } from '../problem.ts';
import type { Tree } from '../source.ts';
import type { ResourceKind } from './resource.ts';

export interface Remark {
  /** The resource that it is about: the route, or the service or upstream that the route uses. */
  readonly kind: ResourceKind;
  readonly id: string;
  /** Its value: Places says where it was written. */
  readonly value: Tree;
  /** In that value. */
  readonly path: Path;
  readonly rule: Rule;
  /** Without the path and without the value. */
  readonly message: string;
  /** Left out where it may be secret. */
  readonly found?: unknown;
}

/** What remarks are about: a resource, or a part of it. */
export interface Subject {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly value: Tree;
  /** Where the part is in the value. */
  readonly path: Path;
}

export class Remarks {
  readonly problems: Remark[] = [];
  readonly notices: Remark[] = [];

  /** `found` is left out where it may be secret. */
  addProblem(about: Subject, path: Path, rule: Rule, message: string, found?: unknown): void {
    this.problems.push(toRemark(about, path, rule, message, found));
  }

  addNotice(about: Subject, path: Path, message: string, found?: unknown): void {
    this.notices.push(toRemark(about, path, 'not_served', message, found));
  }

  /** The value, or the bound that it passes, with a notice. */
  bound(about: Subject, path: Path, value: number, minimum: number, maximum: number): number {
    const bounded = Math.min(Math.max(value, minimum), maximum);
    if (bounded !== value) {
      const end = value > maximum ? 'most' : 'least';
      this.addNotice(about, path, `counts as ${bounded}, which is the ${end}`, value);
    }
    return bounded;
  }
}

function toRemark(about: Subject, path: Path, rule: Rule, message: string, found: unknown): Remark {
  const { kind, id, value } = about;
  const remark = { kind, id, value, path: [...about.path, ...path], rule, message };
  return found === undefined ? remark : { ...remark, found };
}

/** `upstream 1: nodes[0].host: is not ..., found "x"`; without the resource when it is the one that was asked about. */
export function toSentence(remark: Remark, about?: Tree): string {
  const resource = remark.value === about ? '' : `${remark.kind.slice(0, -1)} ${remark.id}: `;
  const path = remark.path.length === 0 ? '' : `${toShownPath(remark.path)}: `;
  const isShown = remark.found !== undefined && isShowable(remark.found);
  const found = !isShown ? '' : `, found ${toFoundText(remark.found)}`;
  return `${resource}${path}${remark.message}${found}`;
}
