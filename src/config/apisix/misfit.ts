// What a value has against its schema, in the words of APISIX's JSON Schema validator.
//
// Owns those words: clients of the Admin API and their tests read them. That validator stops at the first misfit; this
// tells every one, each as if it were the first.

import type { ErrorObject, ValidateFunction } from 'ajv';

export interface Misfit {
  /** Keys and indexes, from the root of the value. */
  readonly path: readonly string[];
  /** The key that is one too many, when that is the reason. */
  readonly unknownKey: string | null;
  /** As the validator would put it for what is below the first so many steps of the path; 0 for the value as a whole. */
  toText(depth: number): string;
}

type Schema = Readonly<Record<string, unknown>>;

/** Of several misfits of one value the first counts; of the choices that a mapping has only if nothing in it is wrong. */
export function listMisfits(shape: ValidateFunction, value: unknown): readonly Misfit[] {
  if (shape(value)) return [];
  const told = (shape.errors ?? []).filter((error) => isTold(error));
  const errors = told.toSorted((a, b) => toRank(a) - toRank(b));
  const seen = new Set<string>();
  const misfits: Misfit[] = [];
  for (const error of errors) {
    const key = toKey(error);
    const isChoice = isUnion(error) && isMapping(error.data);
    const isHidden =
      isChoice && errors.some((other) => other !== error && isWithin(other, error.instancePath));
    if (seen.has(key) || isHidden) continue;
    seen.add(key);
    misfits.push(toMisfit(error));
  }
  return misfits;
}

/** Not what happened inside a choice or a condition, and not what Lua cannot tell: whether an empty table is a list. */
function isTold(error: ErrorObject): boolean {
  if (error.keyword === 'if' || /\/(?:anyOf|oneOf|not|propertyNames)\/./.test(error.schemaPath)) return false;
  return !isEmptyTable(error) || toMinimum(error) > 0;
}

function isEmptyTable({ keyword, params, data }: ErrorObject): boolean {
  if (keyword !== 'type' || (params.type !== 'object' && params.type !== 'array')) return false;
  return typeof data === 'object' && data !== null && Object.keys(data).length === 0;
}

/** Entries that a list must have. */
function toMinimum({ parentSchema }: ErrorObject): number {
  return Number(parentSchema?.minItems ?? 0);
}

/** That validator's order for one value: its type, what is in it, then the choices. */
function toRank({ keyword, schemaPath }: ErrorObject): number {
  if (keyword === 'type') return 0;
  if (/\/allOf\/\d+\/oneOf$/.test(schemaPath)) return 2;
  const choice = ['anyOf', 'oneOf', 'not'].indexOf(keyword);
  return choice === -1 ? 1 : 3 + choice;
}

/** One for each key that is missing, too many or no name, else one for each value. */
function toKey({ instancePath, params }: ErrorObject): string {
  const key = params.additionalProperty ?? params.missingProperty ?? params.propertyName;
  return JSON.stringify([instancePath, key ?? null]);
}

function isUnion({ keyword }: ErrorObject): boolean {
  return keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'not';
}

function isMapping(data: unknown): boolean {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

/** Whether an error is about something in what the path leads to, or about its keys. */
function isWithin(error: ErrorObject, instancePath: string): boolean {
  if (error.instancePath.startsWith(`${instancePath}/`)) return true;
  return error.instancePath === instancePath && !isUnion(error);
}

function toMisfit(error: ErrorObject): Misfit {
  const { additionalProperty } = error.params;
  return {
    path: toKeys(error.instancePath),
    unknownKey: additionalProperty === undefined ? null : String(additionalProperty),
    // Only when asked for: of very many misfits few are told.
    toText: (depth) => {
      const steps = toSteps(error).filter((step) => step.depth >= depth);
      return steps.map(({ text }) => text).join('') + toReason(error);
    },
  };
}

interface Step {
  /** How many steps of the value's path lie before it. */
  readonly depth: number;
  readonly text: string;
}

/** What the validator puts before the reason, for each step from the root of the schema to where it failed. */
function toSteps({ schemaPath, instancePath }: ErrorObject): readonly Step[] {
  const way = schemaPath.split('/').slice(1, -1);
  const keys = toKeys(instancePath);
  const steps: Step[] = [];
  let depth = 0;
  for (let at = 0; at < way.length; at++) {
    const key = keys[depth] ?? '';
    switch (way[at]) {
      case 'properties':
        steps.push({ depth, text: `property ${quote(key)} validation failed: ` });
        depth++;
        at++;
        break;
      case 'patternProperties':
        steps.push({
          depth,
          text: `failed to validate ${key} (matching ${quote(decodeURIComponent(toPlain(way[++at]!)))}): `,
        });
        depth++;
        break;
      // Only where it is a schema it is on the way.
      case 'additionalProperties':
        steps.push({ depth, text: `failed to validate additional property ${key}: ` });
        depth++;
        break;
      case 'items':
        steps.push({ depth, text: `failed to validate item ${Number(key) + 1}: ` });
        depth++;
        break;
      case 'allOf': {
        const index = Number(way[++at]);
        // The name of the key that a condition asks for says more than which condition it was.
        if (way[at + 1] !== 'then') steps.push({ depth, text: `allOf ${index + 1} failed: ` });
        break;
      }
    }
  }
  return steps;
}

function toReason(error: ErrorObject): string {
  const { keyword, params, data, parentSchema, schema } = error;
  if (isEmptyTable(error)) return `expect array to have at least ${toMinimum(error)} items`;
  const limit = typeof params.limit === 'number' ? toLuaNumber(params.limit) : '';
  switch (keyword) {
    case 'type':
      return `wrong type: expected ${toTypeText(params.type)}, got ${toLuaType(data)}`;
    case 'required':
      return `property ${quote(String(params.missingProperty))} is required`;
    case 'additionalProperties':
      return `additional properties forbidden, found ${params.additionalProperty}`;
    case 'enum':
      return 'matches none of the enum values';
    case 'pattern':
      return `failed to match pattern ${quote(String(params.pattern))} with ${quote(String(data))}`;
    case 'minimum':
      return `expected ${toLuaNumber(data)} to be at least ${limit}`;
    case 'exclusiveMinimum':
      return `expected ${toLuaNumber(data)} to be greater than ${limit}`;
    case 'maximum':
      return `expected ${toLuaNumber(data)} to be at most ${limit}`;
    case 'minLength':
      return `string too short, expected at least ${limit}, got ${countCharacters(data)}`;
    case 'maxLength':
      return `string too long, expected at most ${limit}, got ${countCharacters(data)}`;
    case 'minItems':
      return `expect array to have at least ${limit} items`;
    case 'maxItems':
      return `expect array to have at most ${limit} items`;
    case 'maxProperties':
      return `expect object to have at most ${limit} properties`;
    case 'x-quantity':
      return String(parentSchema?.errorMessage);
    case 'propertyNames':
      return `property ${quote(String(params.propertyName))} ${parentSchema?.propertyNames?.errorMessage}`;
    case 'uniqueItems':
      return `expected unique items but items ${Math.min(params.i, params.j) + 1} and ${Math.max(params.i, params.j) + 1} are equal`;
    case 'oneOf':
      return toChoiceText(params.passingSchemas as readonly number[] | null);
    case 'not':
      return "value wasn't supposed to match schema";
    default:
      // What is left has a union of requirements or of types: `anyOf`, and the address blocks that stand for one.
      return `object matches none of the required${toRequiredText(keyword === 'anyOf' ? schema : parentSchema)}`;
  }
}

function toChoiceText(passing: readonly number[] | null): string {
  const outcome =
    passing === null ? 'none' : `both schemas ${passing.map((index) => index + 1).join(' and ')}`;
  return `value should match only one schema, but matches ${outcome}`;
}

function toRequiredText(branches: unknown): string {
  if (!Array.isArray(branches)) return '';
  const required = (branches as readonly Schema[]).flatMap((branch) =>
    branch.required ? [branch.required] : [],
  );
  return required.length === 0 ? '' : `: ${required.map((keys) => JSON.stringify(keys)).join(' or ')}`;
}

function toTypeText(types: unknown): string {
  return Array.isArray(types) ? `one of ${types.join(', ')}` : String(types);
}

/** Lua's `%q`. */
function quote(text: string): string {
  const escaped = text
    .replaceAll(/["\\\n]/g, (character) => `\\${character}`)
    .replaceAll('\r', '\\r')
    .replaceAll('\0', '\\0');
  return `"${escaped}"`;
}

function toLuaType(data: unknown): string {
  if (data === null) return 'userdata';
  return typeof data === 'object' ? 'table' : typeof data;
}

/** Lua's `%.14g`. */
function toLuaNumber(data: unknown): string {
  const number = Number(Number(data).toPrecision(14));
  const exponent = number === 0 ? 0 : Math.floor(Math.log10(Math.abs(number)));
  if (exponent >= -4 && exponent < 14) return String(number);
  return number.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

function countCharacters(data: unknown): number {
  return [...String(data)].length;
}

function toKeys(instancePath: string): string[] {
  return instancePath.split('/').slice(1).map(toPlain);
}

/** Ways in a schema are percent-encoded besides. */
function toPlain(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}
