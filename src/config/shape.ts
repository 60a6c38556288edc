// Values against a schema: every misfit becomes one problem, and what is left can be read without fear.
//
// Owns the validator and the translation of its errors: several errors about one value are one problem, in one sentence.
// Knows no key by name.

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';
import { findAddressProblem } from '../core/address-set.ts';
import { isWithin, type Quantity } from './field.ts';
import { findNearest, type Path, type Rule } from './problem.ts';
import type { Finding, Report } from './report.ts';
import type { Source, Tree } from './source.ts';

/** What the environment had a part in. */
export type Expansions = Pick<Source, 'expanded' | 'unresolved'>;

/** A validated tree after its bad parts were taken out: anything may be missing, but what is there is right. */
export type Loose<T> = T extends readonly (infer E)[]
  ? readonly (Loose<E> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Loose<T[K]> | undefined }
    : T;

type Parent = Record<string, unknown>;

const RULES: Readonly<Record<string, Rule>> = {
  type: 'type',
  enum: 'choice',
  pattern: 'format',
  uniqueItems: 'duplicate',
};

export function createShape(schema: TSchema): ValidateFunction {
  // Written out because collapsing relies on them: all errors, each with its value and its schema.
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    strict: true,
    allowUnionTypes: true,
    strictRequired: false,
  });
  ajv.addVocabulary(['errorMessage', 'x-unknown-key']);
  ajv.addKeyword({
    keyword: 'x-quantity',
    type: ['string', 'number'],
    schemaType: 'object',
    errors: false,
    validate: (quantity: Quantity, value: string | number) => isWithin(quantity, value),
  });
  ajv.addKeyword({
    keyword: 'x-address',
    type: 'string',
    schemaType: 'boolean',
    errors: false,
    validate: (_: boolean, value: string) => findAddressProblem(value) === null,
  });
  return ajv.compile(schema);
}

/** Reports every misfit of `tree`, takes it out of the tree, and returns the rest. Changes `tree`. */
export function fitShape(
  shape: ValidateFunction,
  tree: unknown,
  source: Expansions,
  report: Pick<Report, 'add'>,
): unknown {
  let findings = listFindings(shape, tree);
  if (findings.length > 0 && retype(findings, tree, source)) findings = listFindings(shape, tree);
  const unresolved = new Set(source.unresolved.map((path) => JSON.stringify(path)));
  let rest = tree;
  for (const finding of findings) {
    // The source has already told why this value cannot be known.
    if (unresolved.has(JSON.stringify(finding.path))) continue;
    report.add(finding);
    // Keys that do not go together say so of the mapping that they are in.
    if (finding.rule !== 'required' && finding.rule !== 'conflict') rest = prune(rest, finding.path);
  }
  for (const path of source.unresolved) rest = prune(rest, path);
  return rest;
}

function prune(tree: unknown, path: Path): unknown {
  if (path.length === 0) return {};
  const parent = findParent(tree, path);
  const step = path.at(-1)!;
  // Entries of a list keep their numbers.
  if (Array.isArray(parent)) parent[Number(step)] = undefined;
  else if (parent !== null) delete parent[step];
  return tree;
}

/** Gives unquoted scalars from the environment the type that the schema wants there, where text did not fit. */
function retype(findings: readonly Finding[], tree: unknown, source: Expansions): boolean {
  const misfits = new Set(findings.map((finding) => JSON.stringify(finding.path)));
  let isChanged = false;
  for (const scalar of source.expanded) {
    if (scalar.quoted || typeof scalar.typed === 'string') continue;
    if (!misfits.has(JSON.stringify(scalar.path))) continue;
    const parent = findParent(tree, scalar.path);
    if (parent === null) continue;
    parent[scalar.path.at(-1)!] = scalar.typed;
    isChanged = true;
  }
  return isChanged;
}

function listFindings(shape: ValidateFunction, tree: unknown): Finding[] {
  if (shape(tree)) return [];
  const errors = chooseBranches(shape.errors ?? []);
  const findings: Finding[] = [];
  const misfits = new Set<string>();
  for (const error of errors) {
    if (error.keyword === 'if' || error.schemaPath.includes('/propertyNames/')) continue;
    const path = toPath(tree, error.instancePath);
    const keyFinding = toKeyFinding(error, path);
    if (keyFinding !== null) {
      findings.push(keyFinding);
      continue;
    }
    if (isConflict(error)) {
      const { errorMessage } = error.parentSchema as Parent;
      findings.push({ path, rule: 'conflict', message: String(errorMessage) });
      continue;
    }
    if (misfits.has(error.instancePath)) continue;
    misfits.add(error.instancePath);
    findings.push(toValueFinding(error, path));
  }
  return findings.filter((finding) => finding.rule !== 'conflict' || !hasUnknownKey(finding.path, findings));
}

/** Whether a mapping has a wrong choice of keys, rather than a value one of several forms. */
function isConflict({ keyword, data, schema }: ErrorObject): boolean {
  if (keyword !== 'anyOf' && keyword !== 'oneOf') return false;
  const isMapping = typeof data === 'object' && data !== null && !Array.isArray(data);
  return (
    isMapping && (schema as readonly Parent[]).every((branch) => 'required' in branch || 'not' in branch)
  );
}

/** A key with a typo is a key that is missing: telling one of the two is enough. */
function hasUnknownKey(path: Path, findings: readonly Finding[]): boolean {
  const text = JSON.stringify(path);
  return findings.some(
    (other) => other.rule === 'unknown_key' && JSON.stringify(other.path.slice(0, -1)) === text,
  );
}

/** Problems with a key: unknown, missing, or not of the form that keys have here. */
function toKeyFinding(error: ErrorObject, path: Path): Finding | null {
  const parent = (error.parentSchema ?? {}) as Parent;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(error.params.additionalProperty);
      const known = Object.keys((parent.properties ?? {}) as Parent);
      const suggestion = findNearest(key, known);
      const message = String(parent['x-unknown-key'] ?? 'is not a known key');
      return { path: [...path, key], rule: 'unknown_key', message, found: key, suggestion, atKey: true };
    }
    case 'required': {
      const key = String(error.params.missingProperty);
      return { path: [...path, key], rule: 'required', message: 'is missing' };
    }
    case 'propertyNames': {
      const key = String(error.params.propertyName);
      const message = String(((parent.propertyNames ?? {}) as Parent).errorMessage);
      return { path: [...path, key], rule: 'format', message, found: key, atKey: true };
    }
    default:
      return null;
  }
}

function toValueFinding(error: ErrorObject, path: Path): Finding {
  const parent = (error.parentSchema ?? {}) as Parent;
  const message = typeof parent.errorMessage === 'string' ? parent.errorMessage : describe(error, parent);
  const rule =
    error.keyword === 'anyOf' || error.keyword === 'oneOf' ? 'type' : (RULES[error.keyword] ?? 'range');
  const isSecret = parent.writeOnly === true && typeof error.data !== 'object';
  if (isSecret) return { path, rule, message };
  const suggestion =
    error.keyword === 'enum' && typeof error.data === 'string'
      ? findNearest(error.data, parent.enum as string[])
      : null;
  return { path, rule, message, found: error.data, suggestion };
}

/**
 * Where a value may have one of several forms, keeps only the errors of the form that it seems to have: the one whose
 * type fits, when something inside it is wrong. Otherwise one error says what the forms are.
 */
function chooseBranches(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  let kept = errors;
  for (const union of errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')) {
    const prefix = `${union.schemaPath}/`;
    const isInside = (error: ErrorObject): boolean =>
      error.schemaPath.startsWith(prefix) &&
      (error.instancePath === union.instancePath || error.instancePath.startsWith(`${union.instancePath}/`));
    const branches = Map.groupBy(kept.filter(isInside), (error) =>
      error.schemaPath.slice(prefix.length).split('/', 1).join(),
    );
    const fitting = [...branches.values()].find((branch) =>
      branch.every((error) => error.keyword !== 'type' || error.instancePath !== union.instancePath),
    );
    const isDeep = fitting?.some(
      (error) =>
        error.instancePath !== union.instancePath || (toKeyFinding(error, []) !== null && !isConflict(union)),
    );
    kept = kept.filter((error) => (isDeep ? error !== union : true) && !isInside(error));
    if (isDeep) kept = [...kept, ...fitting!];
  }
  return kept;
}

/** One sentence for what the schema wants, whichever of its keywords failed. */
function describe(error: ErrorObject, schema: Parent): string {
  const { minimum, maximum } = schema;
  const typeError = error.keyword === 'type';
  if (Array.isArray(schema.enum)) return `must be ${schema.enum.join(', ').replace(/, ([^,]*)$/, ' or $1')}`;
  switch (schema.type) {
    case 'boolean':
      return 'must be true or false';
    case 'integer':
      return `must be a whole number${toRangeText(minimum, maximum)}`;
    case 'number':
      if (schema.exclusiveMinimum !== undefined) return `must be a number above ${schema.exclusiveMinimum}`;
      return `must be a number${toRangeText(minimum, maximum)}`;
    case 'string': {
      const { minLength = 0, maxLength } = schema;
      const length = maxLength === undefined ? '' : ` of ${minLength} to ${maxLength} characters`;
      const hint =
        typeof error.data === 'number' || typeof error.data === 'boolean' ? ' (put it in quotes)' : '';
      return `must be text${length}${hint}`;
    }
    case 'array':
      if (typeError) return 'must be a list';
      if (error.keyword === 'uniqueItems') return `must not have the same entry twice`;
      if (schema.maxItems === undefined) return `must have ${schema.minItems} entries or more`;
      return `must have ${schema.minItems ?? 0} to ${schema.maxItems} entries`;
    default:
      return typeError ? 'must be a mapping' : `must have at most ${schema.maxProperties} entries`;
  }
}

function toRangeText(minimum: unknown, maximum: unknown): string {
  if (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) {
    return minimum === undefined ? '' : ` from ${minimum}`;
  }
  return ` from ${minimum} to ${maximum}`;
}

function toPath(tree: unknown, pointer: string): Path {
  const path: (string | number)[] = [];
  let value = tree;
  for (const raw of pointer.split('/').slice(1)) {
    const step = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(value) ? Number(step) : step);
    value = (value as Tree | undefined)?.[step];
  }
  return path;
}

function findParent(tree: unknown, path: Path): Record<string | number, unknown> | null {
  let value = tree;
  for (const step of path.slice(0, -1)) value = (value as Tree | undefined)?.[step];
  return path.length > 0 && typeof value === 'object'
    ? (value as Record<string | number, unknown> | null)
    : null;
}
