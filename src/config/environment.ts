// `${NAME}` and `${NAME:-default}` in the text of a scalar; `${{NAME}}` and `${{NAME:=default}}` are how APISIX writes them.
//
// Owns the syntax and what it becomes. A value from the environment is only ever the text of the scalar it stands
// in: it can never add a key, a list entry or a line to the file.

/** One thing that is wrong with the text, by its offset in it. */
export interface EnvironmentProblem {
  readonly at: number;
  readonly message: string;
}

export interface Expansion {
  readonly text: string;
  readonly problems: readonly EnvironmentProblem[];
}

/** How references are written; what is no reference is plain text, unless a problem says otherwise. */
export interface Syntax {
  readonly reference: RegExp;
  /** Whether `${` that begins no reference is a mistake, and `$${` a literal `${`. */
  readonly isStrict: boolean;
}

/** Of one text. */
const PROBLEMS_MAX = 16;

const DOUBLE = /\$\{\{ *([A-Za-z_][A-Za-z0-9_]*)(?: *|:=([^{}]*))\}\}/.source;
const SINGLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}/.source;

/** APISIX's alone: scripts and formats in its files are full of `${`. */
export const DOUBLE_SYNTAX: Syntax = { reference: new RegExp(DOUBLE, 'g'), isStrict: false };
export const ANY_SYNTAX: Syntax = {
  reference: new RegExp(`\\$\\$\\{|${DOUBLE}|${SINGLE}|\\$\\{`, 'g'),
  isStrict: true,
};

export function hasReference(text: string): boolean {
  return text.includes('${');
}

/** Null when the text has no reference. As in a shell, `:-` also stands in for a variable that is set but empty. */
export function expandEnvironment(
  text: string,
  environment: NodeJS.ProcessEnv,
  { reference, isStrict }: Syntax,
): Expansion | null {
  const problems: EnvironmentProblem[] = [];
  const addProblem = (at: number, message: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push({ at, message });
  };
  let isChanged = false;
  const expanded = text.replace(reference, (match, ...found: unknown[]) => {
    isChanged = true;
    const [doubleName, doubleFallback, singleName, singleFallback] = isStrict
      ? (found as (string | undefined)[])
      : (found.slice(0, 2) as (string | undefined)[]);
    const name = doubleName ?? singleName;
    const fallback = doubleFallback?.trimEnd() ?? singleFallback;
    const at = Number(found[isStrict ? 4 : 2]);
    if (match === '$${') return '${';
    if (name === undefined) {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text that is meant.
      addProblem(at, 'must be ${NAME} or ${NAME:-default}, or $${ for a literal ${');
      return match;
    }
    const value = environment[name];
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
    if (value !== undefined) return value;
    addProblem(at, `the environment has no ${name}, and it has no default`);
    return match;
  });
  return isChanged ? { text: expanded, problems } : null;
}

/** What an unquoted scalar of this text would be in YAML's core schema, as far as umbra's keys can use it. */
export function toTypedScalar(text: string): string | number | boolean {
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  return text;
}
